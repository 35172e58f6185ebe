/* SPDX-License-Identifier: MIT
 *
 * The table of the engine. Floor 2.
 */
#include "engines/local_data.h"
#include "engines/shm/calls.h"
#include "engines/shm/debt.h"
#include "engines/shm/list.h"
#include "engines/shm/name.h"
#include "engines/shm/unused.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int il_shm_check_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/");
	return length == 0 || name[length] || length > IL_NAME_MAX ? EINVAL : 0;
}

static void place(const struct il_key *key, const char *noun, bool remove, char text[IL_PLACE_TEXT])
{
	char path[IL_NAME_PATH];
	const char *last = strrchr(noun, ' ');
	if (strcmp(noun, "shared data") == 0) {
		il_local_data_place(key, remove, text);
		return;
	}
	il_name_path(path, last ? last + 1 : noun, key->name ? key->name : "");
	snprintf(text, IL_PLACE_TEXT, "%s%s", remove ? "rm " : "", path);
}

static const char *describe_error(int err)
{
	return err == ENOSPC    ? IL_PLACE " has no room for it"
		: err == EACCES ? "it belongs to another user, and its mode does not allow it"
				: NULL;
}

/* A permit that is owed calls a process, too. */
static void fini(void)
{
	il_debts_fini();
	il_shm_calls_check_all();
}

const struct il_engine il_shm = {
	.name = "shm",
	.jobs = true,
	.semaphore = il_shm_semaphore,
	.mutex = il_shm_mutex,
	.queue = il_shm_queue,
	.memory = il_shm_memory,
	.data = il_local_data,
	.list = il_shm_list,
	.remove_unused = il_shm_remove_unused,
	.fini = fini,
	.describe_error = describe_error,
	.place = place,
};
