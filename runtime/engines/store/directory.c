/* SPDX-License-Identifier: MIT
 *
 * The directories of shared data. One is made under a name that is never looked for, ipclua.tmp.PID.*, and renamed when
 * it is complete; it is renamed back before it is deleted. Private data stays under such a name. A process that uses a
 * name of that kind has a shared flock on the directory, and forked children have it with the descriptor that they
 * inherit: what can be locked exclusively belongs to no living process.
 * Floor 2.
 */
#include "base/fork.h"
#include "base/reason.h"
#include "engines/local_data.h"
#include "engines/store/directory.h"
#include "os/file.h"

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

enum { TRIES = 64 };

/* So many cost a sweep about as much as the rest of making a directory. */
enum { FEW_IN_USE = 16, FEW_ENTRIES = 1024 };

static const char *const names[IL_STORE_FILES] = { "data.mdb", "lock.mdb", "control" };

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

static bool left_to_children; /* a directory, which they do not delete if they are killed */

static int open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool still_there(const char *path, int fd)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && il_file_same(&a, &b);
}

/* A process that was about to open a file just then may make a new one. */
static void delete (const char *path, int fd)
{
	int tries = TRIES;
	do
		for (size_t i = 0; i < IL_STORE_FILES; i++)
			unlinkat(fd, names[i], 0);
	while (rmdir(path) && errno == ENOTEMPTY && --tries);
}

static int make_temporary(char *path)
{
	snprintf(path, IL_STORE_PATH, PLACE TEMPORARY "%d.XXXXXX", (int)il_fork.pid);
	if (mkdtemp(path))
		return 0;
	return errno == ENOENT ? il_because(ENOENT, "/dev/shm is not there: it wants a tmpfs") : errno;
}

/* With the lock no process has it any more; or it was published, and has another name now. False: a process has it. */
static bool delete_if_free(const char *path)
{
	int fd = open_directory(path);
	struct stat st;
	if (fd < 0)
		return true;
	bool mine = fstat(fd, &st) == 0 && st.st_uid == geteuid();
	bool locked = mine && flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (locked && still_there(path, fd))
		delete (path, fd);
	close(fd);
	return locked || !mine;
}

/* Returns how many directories to make before the next sweep, so that a process which makes many does not look at all
 * of them each time. */
static unsigned sweep(void)
{
	DIR *place = opendir(PLACE);
	unsigned entries = 0, in_use = 0;
	for (struct dirent *e; place && (e = readdir(place)); entries++) {
		char path[IL_STORE_PATH];
		if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) != 0 || strlen(e->d_name) > IL_STORE_PATH / 2)
			continue;
		snprintf(path, sizeof path, PLACE "%.*s", IL_STORE_PATH / 2, e->d_name);
		in_use += !delete_if_free(path);
	}
	if (place)
		closedir(place);
	return in_use / FEW_IN_USE + entries / FEW_ENTRIES;
}

int il_directory_make(char *path, int *guard)
{
	static unsigned to_make;
	to_make = to_make ? to_make - 1 : sweep();
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
		/* a sweep may have come first, and deletes it */
		if (*guard >= 0 && flock(*guard, LOCK_SH | LOCK_NB) == 0 && still_there(path, *guard))
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
	int err = il_file_reserve(fd, size);
	close(fd);
	return err;
}

/* A user that may read a directory must be able to search it. lock.mdb must not be opened and closed by a process that
 * has it open for LMDB: that would drop its fcntl locks. No process has, yet. */
int il_directory_publish(const char *from, const char *to, unsigned mode)
{
	char name[IL_STORE_PATH + 16];
	for (size_t i = 0; i < IL_STORE_FILES; i++) {
		snprintf(name, sizeof name, "%s/%s", from, names[i]);
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
	if (!delete_if_free(path))
		left_to_children = true;
}

void il_directory_fini(void)
{
	if (left_to_children)
		sweep();
	left_to_children = false;
}

int il_directory_delete(const char *path)
{
	int fd = open_directory(path);
	if (fd >= 0) {
		delete (path, fd);
		close(fd);
	}
	return 0;
}

/* The name is gone, or another directory has it: then the owner of the files may still tell the others. */
static int no_name(const struct il_store_files *files)
{
	return geteuid() == files->owner || geteuid() == 0 ? 0 : EPERM;
}

int il_directory_to_remove(const char *path, const struct il_store_files *files, int *fd)
{
	struct stat st;
	int err = il_file_to_remove(path, O_RDONLY | O_DIRECTORY, fd);
	if (err)
		return err == ENOENT || err == ENOTDIR || err == ELOOP ? no_name(files) : err;
	if (fstatat(*fd, names[IL_STORE_CONTROL], &st, AT_SYMLINK_NOFOLLOW) || st.st_dev != files->device ||
		st.st_ino != files->inodes[IL_STORE_CONTROL]) {
		close(*fd);
		*fd = -1;
		return no_name(files);
	}
	if (faccessat(AT_FDCWD, PLACE, W_OK, AT_EACCESS) == 0)
		return 0;
	err = errno;
	close(*fd);
	*fd = -1;
	return err;
}

/* The flock keeps two from doing it, the second of them to a new directory. */
int il_directory_free(const char *path, int fd)
{
	char temporary[IL_STORE_PATH];
	int err = il_file_lock(fd);
	if (err || !still_there(path, fd))
		return err;
	err = make_temporary(temporary);
	if (!err && rename(path, temporary)) {
		err = errno;
		rmdir(temporary);
	}
	if (!err)
		delete (temporary, fd);
	return err;
}

static int check_file(const struct stat *st, const struct stat *directory)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != directory->st_uid || st->st_dev != directory->st_dev)
		return EUCLEAN;
	return st->st_uid != geteuid() && !(st->st_mode & 066) ? EACCES : 0;
}

int il_directory_check(const char *path, struct il_store_files *files)
{
	struct stat dir, st;
	int err = 0, fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? EINVAL : errno;
	if (fstat(fd, &dir))
		err = errno;
	*files = (struct il_store_files){ .device = dir.st_dev, .owner = dir.st_uid };
	for (size_t i = 0; i < IL_STORE_FILES && !err; i++) {
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW))
			err = errno != ENOENT ? errno : still_there(path, fd) ? EUCLEAN : EAGAIN;
		else
			err = check_file(&st, &dir);
		files->inodes[i] = st.st_ino;
		files->sizes[i] = (uint64_t)st.st_size;
	}
	close(fd);
	return err;
}

int il_directory_compare(const struct il_store_files *a, const struct il_store_files *b)
{
	if (a->device != b->device || memcmp(a->inodes, b->inodes, sizeof a->inodes) != 0)
		return EAGAIN;
	return memcmp(a->sizes, b->sizes, sizeof a->sizes) == 0 ? 0 : EUCLEAN;
}

void il_local_data_place(const struct il_key *key, bool remove, char text[IL_PLACE_TEXT])
{
	char path[IL_STORE_PATH];
	il_directory_path(path, key);
	snprintf(text, IL_PLACE_TEXT, "%s%s", remove ? "rm -r " : "", path);
}
