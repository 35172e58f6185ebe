/* SPDX-License-Identifier: MIT
 *
 * The directories of shared data. One is made under a name that nobody looks for, ipclua.tmp.PID.*, and renamed when
 * it is complete; it is renamed back before it is deleted. Private data stays under such a name. Whoever uses a
 * name of that kind has a shared flock on the directory, and forked children have it with the descriptor that they
 * inherit: what can be locked exclusively belongs to nobody that lives.
 * Floor 2.
 */
#include "engines/store/store.h"
#include "loop/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "/dev/shm/"
#define TEMPORARY "ipclua.tmp."

enum { TRIES = 64, BELL = 2 };

static const char *const files[] = { "data.mdb", "lock.mdb", "bell" };

enum { FILES = sizeof files / sizeof files[0] };

/* A key's name may have slashes, a directory's may not; no key's name has a colon. */
void il_directory_path(char *path, const struct il_key *key)
{
	path[0] = '\0';
	if (key->id)
		snprintf(path, IL_STORE_PATH, PLACE "ipclua.data.sysv:0x%08x", (unsigned)key->id);
	else if (key->name)
		snprintf(path, IL_STORE_PATH, PLACE "ipclua.data.%s", key->name);
	for (char *c = path + strlen(path) - (key->name && !key->id ? strlen(key->name) : 0); *c; c++)
		if (*c == '/')
			*c = '+';
}

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int lock(int fd, int how)
{
	while (flock(fd, how))
		if (errno != EINTR)
			return errno;
	return 0;
}

static bool still_there(const char *path, int fd)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Who was about to open a file just then may make a new one. */
static void delete(const char *path, int fd)
{
	int tries = TRIES;
	do
		for (size_t i = 0; i < FILES; i++)
			unlinkat(fd, files[i], 0);
	while (rmdir(path) && errno == ENOTEMPTY && --tries);
}

static int make_temporary(char *path)
{
	snprintf(path, IL_STORE_PATH, PLACE TEMPORARY "%d.XXXXXX", (int)il_loop.pid);
	return mkdtemp(path) ? 0 : errno;
}

/* With the lock nobody has it any more; or it was published, and has another name now. */
static void delete_if_free(const char *path)
{
	int fd = open_directory(path);
	struct stat st;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && lock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    still_there(path, fd))
		delete(path, fd);
	close(fd);
}

static void sweep(void)
{
	DIR *place = opendir(PLACE);
	for (struct dirent *e; place && (e = readdir(place));) {
		char path[IL_STORE_PATH];
		if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) != 0 || strlen(e->d_name) > IL_STORE_PATH / 2)
			continue;
		snprintf(path, sizeof path, PLACE "%.*s", IL_STORE_PATH / 2, e->d_name);
		delete_if_free(path);
	}
	if (place)
		closedir(place);
}

int il_directory_make(char *path, int *guard)
{
	sweep();
	for (int i = 0; i < TRIES; i++) {
		int err = make_temporary(path);
		if (err)
			return err;
		*guard = open_directory(path);
		if (*guard < 0 && errno != ENOENT) {
			err = errno;
			rmdir(path);
			return err;
		}
		/* somebody's sweep may have come first */
		if (*guard >= 0 && lock(*guard, LOCK_SH) == 0 && still_there(path, *guard))
			return 0;
		if (*guard >= 0)
			close(*guard);
	}
	return EBUSY;
}

int il_directory_reserve(const char *path, const char *file, size_t size)
{
	char name[IL_STORE_PATH + 16];
	snprintf(name, sizeof name, "%s/%s", path, file);
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	int err = fallocate(fd, 0, 0, (off_t)size) ? errno : 0;
	close(fd);
	return err;
}

/* Who may read a directory must be able to search it. lock.mdb must not be opened and closed by a process that has it
 * open for LMDB: that would drop its fcntl locks. Nobody has, yet. */
int il_directory_publish(const char *from, const char *to, unsigned mode)
{
	char name[IL_STORE_PATH + 16];
	for (size_t i = 0; i < FILES; i++) {
		snprintf(name, sizeof name, "%s/%s", from, files[i]);
		if (chmod(name, mode))
			return errno;
	}
	if (chmod(from, mode | (mode & 0444) >> 2))
		return errno;
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) ? errno : 0;
}

void il_directory_leave(const char *path, int guard)
{
	close(guard);
	delete_if_free(path);
}

int il_directory_delete(const char *path)
{
	int fd = open_directory(path);
	if (fd >= 0) {
		delete(path, fd);
		close(fd);
	}
	return 0;
}

/* The flock keeps two from doing it, the second of them to a new directory. */
int il_directory_free(const char *path, uint64_t device, uint64_t inode)
{
	char temporary[IL_STORE_PATH];
	struct stat st, bell;
	int fd = open_directory(path), err = fd < 0 ? errno : 0;
	if (err)
		return err == ENOENT ? 0 : err;
	if (lock(fd, LOCK_EX) || fstat(fd, &st))
		err = errno;
	else if (st.st_uid != geteuid() && geteuid() != 0)
		err = EPERM;
	else if (still_there(path, fd) && fstatat(fd, files[BELL], &bell, AT_SYMLINK_NOFOLLOW) == 0 &&
		 bell.st_dev == device && bell.st_ino == inode) {
		err = make_temporary(temporary);
		if (!err && rename(path, temporary))
			err = errno;
		if (!err)
			delete(temporary, fd);
	}
	close(fd);
	return err;
}

int il_directory_check(const char *path, uint64_t *device, uint64_t *inode)
{
	struct stat dir, st;
	int err = 0, fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? EINVAL : errno;
	if (fstat(fd, &dir))
		err = errno;
	for (size_t i = 0; i < FILES && !err; i++) {
		if (fstatat(fd, files[i], &st, AT_SYMLINK_NOFOLLOW))
			err = errno != ENOENT ? errno : still_there(path, fd) ? EUCLEAN : EAGAIN;
		else if (!S_ISREG(st.st_mode) || st.st_uid != dir.st_uid)
			err = EUCLEAN;
		else if (st.st_uid != geteuid() && !(st.st_mode & 066))
			err = EACCES;
	}
	*device = st.st_dev; /* of the last: the bell */
	*inode = st.st_ino;
	close(fd);
	return err;
}
