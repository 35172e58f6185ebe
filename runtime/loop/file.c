/* SPDX-License-Identifier: MIT
 *
 * Files by their names, see file.h. Floor 1.
 */
#include "loop/file.h"
#include "loop/quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the folder alone: what the last part is, a link or nothing yet, is for whoever opens it. */
char *il_file_absolute(const char *path)
{
	char folder[PATH_MAX], real[PATH_MAX], *whole;
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	size_t length = (size_t)(last - path);
	if (path[0] == '/' || length >= sizeof folder)
		return strdup(path);
	memcpy(folder, path, length);
	strcpy(folder + length, ".");
	if (!realpath(folder, real))
		return strdup(path);
	return asprintf(&whole, "%s/%s", real[1] ? real : "", last) < 0 ? NULL : whole;
}

bool il_file_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a name may be taken away, the kernel says only when it does it. But O_NOATIME is for the same ones: the file's
 * owner, and who may act as such. */
int il_file_to_remove(const char *path, int flags, int *fd)
{
	*fd = open(path, flags | O_NOATIME | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return *fd < 0 ? errno : 0;
}

int il_file_reserve(int fd, size_t size)
{
	struct il_quiet quiet;
	il_quiet_begin(&quiet);
	int err = fallocate(fd, 0, 0, (off_t)size) ? errno : 0;
	il_quiet_end(&quiet, err);
	return err;
}
