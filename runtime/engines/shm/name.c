/* SPDX-License-Identifier: MIT
 *
 * Names in /dev/shm, see name.h. A name is only taken away with the file's flock, and if it still means this file: the
 * flock keeps two processes from doing it, the second of them to a new file. Floor 2.
 */
#include "engines/shm/name.h"
#include "base/reason.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A key's name may have slashes, a file's may not. */
void il_name_path(char path[IL_NAME_PATH], const char *noun, const char *name)
{
	int n = snprintf(path, IL_NAME_PATH, IL_PLACE "/ipclua.%s.%s", noun, name);
	for (char *c = path + n - strlen(name); *c; c++)
		if (*c == '/')
			*c = '+';
}

int il_name_file(int *fd)
{
	*fd = open(IL_PLACE, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return 0;
	return errno == ENOENT ? il_because(ENOENT, IL_PLACE " is not there: it wants a tmpfs") : errno;
}

int il_name_give(int fd, const char *path)
{
	char self[32];
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? errno : 0;
}

/* Of the path itself, as it is now. */
static bool means(const char *path, const struct stat *file)
{
	struct stat st;
	return lstat(path, &st) == 0 && il_file_same(&st, file);
}

int il_name_check(const char *path, const struct stat *mine, int *fd)
{
	*fd = -1;
	if (!means(path, mine))
		return geteuid() == mine->st_uid || geteuid() == 0 ? 0 : EPERM;
	if (faccessat(AT_FDCWD, IL_PLACE, W_OK, AT_EACCESS))
		return errno;
	return il_file_to_remove(path, O_RDWR, fd);
}

int il_name_take(const char *path, int fd)
{
	struct stat st;
	int err = il_file_lock(fd);
	if (err)
		return err;
	if (fstat(fd, &st))
		return errno;
	return means(path, &st) && unlink(path) ? errno : 0;
}
