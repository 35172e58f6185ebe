/* SPDX-License-Identifier: MIT
 *
 * Unix sockets at a path, see rendezvous.h. The socket is bound under a name of its own and then linked in: nobody sees a
 * path that does not listen yet. To take over a dead one, the folder is locked, so that no two do it at a time.
 * Floor 1.
 */
#include "loop/rendezvous.h"

#include <errno.h>
#include <fcntl.h>
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

static int make_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int il_rendezvous_connect(const char *path, int *result)
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

/* Nobody listens at the path, but a socket is there. */
static bool is_dead(const char *path)
{
	struct stat st;
	int fd, err;
	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	err = il_rendezvous_connect(path, &fd);
	if (!err)
		close(fd);
	return err == ECONNREFUSED;
}

static int lock_folder(const char *path)
{
	char folder[sizeof ((struct sockaddr_un *)0)->sun_path];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	memcpy(folder, path, length);
	strcpy(folder + length, slash && !length ? "/" : slash ? "" : ".");
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

int il_rendezvous_listen(const char *path, unsigned mode, int *result)
{
	struct sockaddr_un at;
	char own[sizeof at.sun_path];
	int n = snprintf(own, sizeof own, "%s.%d", path, (int)getpid());
	int err = address(&at, n < (int)sizeof own ? own : path);
	if (n >= (int)sizeof own)
		err = ENAMETOOLONG;
	int fd = err ? -1 : make_socket();
	if (fd < 0)
		return err ? err : errno;
	unlink(own); /* of a process that had our pid and died between the two steps */
	if (fchmod(fd, mode) || bind(fd, (struct sockaddr *)&at, sizeof at))
		err = errno;
	else if (chmod(own, mode) || listen(fd, BACKLOG))
		err = errno;
	else
		err = publish(own, path);
	unlink(own);
	if (err)
		close(fd);
	*result = fd;
	return err;
}

/* When ours does not listen any more, a socket at the path that answers is somebody else's. */
void il_rendezvous_close(const char *path, int fd, bool remove)
{
	int folder = remove ? lock_folder(path) : -1;
	close(fd);
	if (remove && is_dead(path))
		unlink(path);
	if (folder >= 0)
		close(folder);
}

static bool may_join(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

int il_rendezvous_accept(int listener, bool strangers)
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
