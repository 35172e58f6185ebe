/* SPDX-License-Identifier: MIT
 *
 * Files by their names, see file.h. Floor 1b.
 */
#include "os/file.h"
#include "base/clock.h"
#include "os/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { NAP = 200000 }; /* ns */

/* Of the folder alone: the last part may be a link, or nothing yet. */
void il_file_absolute(char absolute[PATH_MAX], const char *path)
{
	char folder[PATH_MAX + 2], real[PATH_MAX];
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	snprintf(folder, sizeof folder, "%.*s.", (int)(last - path), path);
	strcpy(absolute, path);
	if (path[0] == '/' || !realpath(folder, real) || strlen(real) + 1 + strlen(last) >= PATH_MAX)
		return;
	char *end = stpcpy(absolute, real[1] ? real : "");
	*end = '/';
	strcpy(end + 1, last);
}

int il_file_descriptor_left(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

bool il_file_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether a name may be taken away, the kernel says only when it does it. But O_NOATIME is allowed to the same ones:
 * the file's owner, and a process with CAP_FOWNER. */
int il_file_to_remove(const char *path, int flags, int *fd)
{
	*fd = open(path, flags | O_NOATIME | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return *fd < 0 ? errno : 0;
}

/* The process that has it may be stopped, and flock has no timeout. */
int il_file_lock(int fd)
{
	int64_t end = il_now() + 5 * IL_SECOND;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		if (il_now() > end)
			return ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
	}
	return 0;
}

int il_file_reserve(int fd, size_t size)
{
	struct il_sigpipe quiet;
	il_sigpipe_hold(&quiet);
	int err = fallocate(fd, 0, 0, (off_t)size) ? errno : 0;
	il_sigpipe_release(&quiet, err);
	return err;
}
