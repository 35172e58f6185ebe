/* SPDX-License-Identifier: MIT
 *
 * The table of the engine. Floor 2.
 */
#include "engines/disk/disk.h"
#include "engines/disk/environment.h"
#include "engines/disk/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No object has a file of its own. */
static void place(const struct il_key *key, const char *noun, bool remove, char text[IL_PLACE_TEXT])
{
	(void)noun;
	snprintf(text, IL_PLACE_TEXT, "%s%s", remove ? "rm -r " : "", key->name);
}

static const char *describe_error(int err)
{
	return err == ENOSPC    ? "the disk has no room for it"
		: err == EDQUOT ? "it would be more than this user may have on the disk"
				: NULL;
}

const struct il_engine il_disk = {
	.name = "disk",
	.syncs = true,
	.jobs = true,
	.queue = il_disk_queue,
	.data = il_disk_data,
	.list = il_disk_list,
	.fini = il_disk_fini,
	.describe_error = describe_error,
	.place = place,
};
