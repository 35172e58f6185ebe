/* SPDX-License-Identifier: MIT
 *
 * What the engine of file keys offers. Floor 2.
 */
#include "engines/local_data.h"
#include "engines/sysv/list.h"
#include "engines/sysv/sysv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>

static void place(const struct il_key *key, const char *noun, bool remove, char text[IL_PLACE_TEXT])
{
	char kind = strcmp(noun, "queue") == 0 ? 'q' : strcmp(noun, "shared memory") == 0 ? 'm' : 's';
	unsigned id = (unsigned)key->id;
	if (strcmp(noun, "shared data") == 0)
		il_local_data_place(key, remove, text);
	else if (remove)
		snprintf(text, IL_PLACE_TEXT, "ipcrm -%c 0x%08x", kind - 'a' + 'A', id);
	else
		snprintf(text, IL_PLACE_TEXT, "ipcs -%c shows it, 0x%08x", kind, id);
}

static const char *describe_error(int err)
{
	return err == ENOSPC ? "the system's limit of such objects is reached (ipcs -l shows it)" : NULL;
}

const struct il_engine il_sysv = {
	.name = "sysv",
	.semaphore = il_sysv_semaphore,
	.mutex = il_sysv_mutex,
	.queue = il_sysv_queue,
	.memory = il_sysv_memory,
	.data = il_local_data,
	.describe_error = describe_error,
	.place = place,
	.list = il_sysv_list,
	.remove_unused = il_sysv_remove_unused,
	.fini = il_local_data_fini,
};

/* -1 can be a key: errno tells. 0 is IPC_PRIVATE, a new object with every call. */
int il_sysv_key(const char *path, int project, int32_t *id)
{
	errno = 0;
	*id = ftok(path, project);
	if (*id == -1 && errno)
		return errno;
	return *id == 0 ? EINVAL : 0;
}
