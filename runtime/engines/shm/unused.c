/* SPDX-License-Identifier: MIT
 *
 * The removal of a segment that no process uses. A process that opens it meanwhile is the question: between a look at
 * who has it and the removal of its name, one could get a segment that nobody finds again. So the kernel answers. The
 * lease (os/lease.h) says that no process has the file, and none gets it before its head says that it was removed: then
 * it makes a new one, as after any removal. What is in the segment is looked at only then. Floor 2.
 */
#include "engines/shm/unused.h"
#include "engines/local_data.h"
#include "engines/shm/list.h"
#include "engines/shm/name.h"
#include "engines/shm/segment.h"
#include "os/file.h"
#include "os/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "shared_memory", "shm:shop/slots": "ipclua.memory.shop+slots". */
static int path_of(const struct il_found *f, char path[IL_NAME_PATH])
{
	const char *noun = strcmp(f->noun, "shared_memory") == 0 ? "memory" : f->noun;
	const char *name = f->key + strlen("shm:");
	if (strncmp(f->key, "shm:", strlen("shm:")) != 0 || il_shm_check_name(name))
		return EINVAL;
	il_name_path(path, noun, name);
	return 0;
}

static int mark_removed(int fd)
{
	uint32_t one = 1;
	return pwrite(fd, &one, sizeof one, offsetof(struct il_head, removed)) == sizeof one ? 0 : errno;
}

/* With the lease. A file that is cut short has no head to mark, and no process opens it. */
static int remove_open(int fd, const char *path, unsigned how)
{
	struct il_found now = { .users = 0 };
	struct stat st;
	int err = il_shm_list_describe(fd, strrchr(path, '/') + 1, &now);
	if (err || fstat(fd, &st))
		return err ? err : errno;
	if (!(how & IL_UNUSED_ANYTHING) && (now.holds || now.fault))
		return ENOTEMPTY;
	if (how & IL_UNUSED_LOOK)
		return 0;
	if (st.st_size >= (off_t)sizeof(struct il_head))
		err = mark_removed(fd);
	return err ? err : il_name_take(path, fd);
}

int il_shm_remove_unused(const struct il_found *f, unsigned how)
{
	char path[IL_NAME_PATH];
	int fd, err;
	if (strcmp(f->noun, "shared_data") == 0)
		return il_local_data_remove_unused(f, how);
	err = path_of(f, path);
	if (!err)
		err = il_file_to_remove(path, O_RDWR, &fd);
	if (err) /* EAGAIN: another process has the lease */
		return err == EAGAIN ? EBUSY : err;
	err = il_lease_take(fd);
	if (!err)
		err = remove_open(fd, path, how);
	close(fd);
	return err;
}
