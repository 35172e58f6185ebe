/* SPDX-License-Identifier: MIT
 *
 * Folders of environments, see folder.h. A process that has an environment open has a shared flock on its control file,
 * and so have the children that it forks. The one that gets an exclusive flock is alone: whatever the file says comes
 * from processes that have ended, perhaps before the machine was started again.
 * Floor 2.
 */
#include "engines/disk/folder.h"
#include "base/clock.h"
#include "base/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { NAP = 200000 }; /* ns */

static const int64_t PATIENCE = 5 * IL_SECOND;

/* Memory that is mapped there, and locks, are not the other machines'. statfs(2) tells the numbers. */
static bool is_network(const struct statfs *fs)
{
	static const uint32_t kinds[] = {
		0x6969, /* NFS */
		0x517B, 0xFF534D42, 0xFE534D42, /* SMB */
		0x5346414F, 0x6B414653, /* AFS */
		0x00C36400, /* Ceph */
		0x01021997, /* 9P */
		0x65735546, /* FUSE: sshfs and the like; which, it does not tell */
		0x0BD00BD0, /* Lustre */
		0x47504653, /* GPFS */
		0x73757245, /* Coda */
		0x7461636F, /* OCFS2 */
		0x01161970, /* GFS2 */
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if ((uint32_t)fs->f_type == kinds[i])
			return true;
	return false;
}

static int check(const char *path, int fd)
{
	struct statfs fs;
	struct stat st;
	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return errno;
	if (st.st_uid != geteuid())
		return il_because(EACCES, "the folder %s belongs to another user", path);
	if (st.st_mode & 022)
		return il_because(EACCES, "other users may write to the folder %s: chmod go-w", path);
	if (is_network(&fs))
		return il_because(ENOTSUP, "the folder %s is on a network file system, where its locks mean nothing",
			path);
	return 0;
}

static int explain(int err, const char *path)
{
	switch (err) {
	case ENOTDIR:
	case ELOOP: return il_because(err, "%s is not a folder", path);
	case ENOENT: return il_because(err, "there is no folder in which %s could be made", path);
	case EROFS: return il_because(err, "the file system of %s can only be read", path);
	case ENOSPC:
	case EDQUOT: return il_because(err, "the disk of %s has no room", path);
	default: return err;
	}
}

/* Of the folder in which that one is. */
static const char *parent_of(const char *path, char parent[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int size = slash ? (int)(slash - path) : 0;
	snprintf(parent, PATH_MAX, "%.*s", size ? size : 1, size ? path : slash ? "/" : ".");
	return parent;
}

static int explain_making(int err, const char *path)
{
	char parent[PATH_MAX];
	parent_of(path, parent);
	switch (err) {
	case ENOTDIR: return il_because(err, "%s cannot be made, since %s is not a folder", path, parent);
	case EPERM: return il_because(err, "no folder can be made in %s", parent);
	case EACCES:
		return il_because(err, "%s cannot be made: this user may not enter %s, or not write to it", path,
			parent);
	default: return explain(err, path);
	}
}

/* Of the folder that is there, or of its file: `rights` are what its owner needs. */
static int explain_right(int err, const char *path, const char *file, const char *rights)
{
	struct stat st;
	if (err != EACCES)
		return explain(err, path);
	if (stat(path, &st))
		return il_because(err, "this user may not enter the folders above %s", path);
	if (st.st_uid != geteuid())
		return il_because(err, "the folder %s belongs to another user", path);
	return il_because(err, "its owner lacks a right: chmod u+%s %s%s", rights, path, file);
}

int il_disk_folder_open(const char *path, bool existing, int *fd)
{
	if (!existing && mkdir(path, 0700) && errno != EEXIST)
		return explain_making(errno, path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return existing && errno == ENOENT ? ENOENT : explain_right(errno, path, "", "rwx");
	int err = check(path, *fd);
	if (!err && existing && faccessat(*fd, "control", F_OK, 0))
		err = errno == ENOENT ? ENOENT : explain_right(errno, path, "", "rwx");
	if (err)
		close(*fd);
	return err;
}

/* One of the locks: exclusive, if no other process has the file; shared, if none is alone in preparing it. */
static int lock(int fd, bool *alone)
{
	for (int64_t end = il_now() + PATIENCE;;) {
		*alone = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (*alone || flock(fd, LOCK_SH | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		if (il_now() > end)
			return ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
	}
}

int il_disk_folder_lock(const char *path, int folder, long size, int *fd, bool *alone)
{
	*fd = openat(folder, "control", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0) {
		int failed = errno;
		bool there = faccessat(folder, "control", F_OK, 0) == 0;
		return explain_right(failed, path, there ? "/control" : "", there ? "rw" : "rwx");
	}
	int err = lock(*fd, alone);
	if (!err && *alone && (ftruncate(*fd, size) || fallocate(*fd, 0, 0, size)))
		err = explain(errno, path);
	if (err)
		close(*fd);
	return err;
}

/* The names of new files are on the disk when their folder is. */
static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int err = fsync(fd) ? errno : 0;
	close(fd);
	return err;
}

static int sync_parent(const char *path)
{
	char parent[PATH_MAX];
	return sync_folder(parent_of(path, parent));
}

int il_disk_folder_share(const char *path, int fd)
{
	int err = sync_folder(path);
	if (!err)
		err = sync_parent(path);
	if (err && err != EACCES) /* of a folder above, which is as the user made it */
		return err;
	return flock(fd, LOCK_SH) ? errno : 0;
}

const char *il_disk_folder_warning(int fd)
{
	static const uint32_t tmpfs = 0x01021994, ramfs = 0x858458F6;
	struct statfs fs;
	bool in_memory = fstatfs(fd, &fs) == 0 && ((uint32_t)fs.f_type == tmpfs || (uint32_t)fs.f_type == ramfs);
	return in_memory ? "its folder is in memory, and does not outlive a restart of the machine" : NULL;
}
