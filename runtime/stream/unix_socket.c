/* SPDX-License-Identifier: MIT
 *
 * Unix sockets at a path, see unix_socket.h. The socket is bound under a name of its own and then linked in: no process
 * sees a path that does not listen yet. To take over a dead one, the folder is locked, so that no two do it at a time.
 * Floor 1c.
 */
#include "stream/unix_socket.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static int address(struct sockaddr_un *at, const char *path)
{
	size_t length = strlen(path);
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length == 0 || length >= sizeof at->sun_path)
		return length ? ENAMETOOLONG : ENOENT;
	memcpy(at->sun_path, path, length);
	return 0;
}

/* The name under which it is bound first: ours alone, and never longer than a socket's path may be. */
static int own_name(char *own, size_t room, const char *path)
{
	int n = snprintf(own, room, "%s.%x", path, (unsigned)getpid());
	return strlen(path) > IL_UNIX_SOCKET_PATH || n >= (int)room ? ENAMETOOLONG : 0;
}

static int make_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int il_unix_socket_connect(const char *path, int *result)
{
	struct sockaddr_un at;
	int err = address(&at, path), fd = err ? -1 : make_socket();
	if (err)
		return err;
	if (fd < 0)
		return errno;
	while (!err && connect(fd, (struct sockaddr *)&at, sizeof at))
		err = errno == EINTR ? 0 : errno;
	if (err)
		close(fd);
	*result = fd;
	return err;
}

static bool is_socket(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A socket is at the path, and no process listens. */
static bool is_dead(const char *path)
{
	int fd, err;
	if (!is_socket(path))
		return false;
	err = il_unix_socket_connect(path, &fd);
	if (!err)
		close(fd);
	return err == ECONNREFUSED;
}

static int lock_folder(const char *path)
{
	char folder[PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	snprintf(folder, sizeof folder, "%.*s.", slash ? (int)(slash - path) + 1 : 0, path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		while (flock(fd, LOCK_EX) && errno == EINTR)
			;
	return fd;
}

/* Puts the listening socket at `own` where it belongs. */
static int publish(const char *own, const char *path)
{
	struct stat st;
	int folder, err;
	if (link(own, path) == 0)
		return 0;
	if (errno != EEXIST)
		return errno;
	folder = lock_folder(path);
	if (folder < 0)
		return errno;
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		err = EEXIST;
	else if (is_dead(path) && unlink(path))
		err = errno;
	else
		err = link(own, path) == 0 ? 0 : errno == EEXIST ? EADDRINUSE : errno;
	close(folder);
	return err;
}

static int listen_at(struct il_unix_socket *r, const char *path, const char *own, unsigned mode)
{
	struct sockaddr_un at;
	int err = address(&at, own);
	if (is_socket(own)) /* of a process that had our pid and died between the two steps */
		unlink(own);
	bool bound = !err && fchmod(r->fd, mode) == 0 && bind(r->fd, (struct sockaddr *)&at, sizeof at) == 0;
	if (!err && (!bound || chmod(own, mode) || lstat(own, &r->file) || listen(r->fd, BACKLOG)))
		err = errno;
	if (!err)
		err = publish(own, path);
	if (bound)
		unlink(own);
	return err;
}

int il_unix_socket_listen(struct il_unix_socket *r, const char *path, unsigned mode)
{
	char own[sizeof((struct sockaddr_un *)0)->sun_path], absolute[PATH_MAX];
	if (!*path)
		return ENOENT;
	if (own_name(own, sizeof own, path))
		return ENAMETOOLONG;
	il_file_absolute(absolute, path);
	*r = (struct il_unix_socket){ .fd = -1, .path = strdup(absolute) };
	int err = !r->path ? ENOMEM : (r->fd = make_socket()) < 0 ? errno : listen_at(r, path, own, mode);
	if (err)
		il_unix_socket_close(r, false);
	return err;
}

/* As long as it is open, no other socket can have its inode. */
void il_unix_socket_close(struct il_unix_socket *r, bool remove)
{
	struct stat st;
	int folder = remove ? lock_folder(r->path) : -1;
	if (remove && lstat(r->path, &st) == 0 && il_file_same(&st, &r->file))
		unlink(r->path);
	if (r->fd >= 0)
		close(r->fd);
	if (folder >= 0)
		close(folder);
	free(r->path);
	*r = (struct il_unix_socket){ .fd = -1 };
}

static bool may_join(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

int il_unix_socket_accept(int listener, bool strangers)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0 && !strangers && !may_join(fd)) {
			close(fd);
			continue;
		}
		if (fd >= 0 || (errno != EINTR && errno != ECONNABORTED))
			return fd;
	}
}
