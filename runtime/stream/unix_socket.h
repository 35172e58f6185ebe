/* SPDX-License-Identifier: MIT
 *
 * Unix sockets at a path, where processes meet that do not know each other.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_UNIX_SOCKET_H
#define IL_STREAM_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/stat.h>

struct il_unix_socket {
	int fd;
	struct stat file; /* the socket at the path */
	char *path; /* from the root on */
};

/* Bytes that a path to listen at may have: a socket's may have 107, and ours has a longer name first. */
enum { IL_UNIX_SOCKET_PATH = 100 };

/* Listens; a path at which no process listens any more is taken over. 0 or errno: EADDRINUSE; ENAMETOOLONG; EEXIST,
 * what is there is no socket. */
int il_unix_socket_listen(struct il_unix_socket *r, const char *path, unsigned mode);

/* Closes; removes the socket if it is still at its path and `remove`. */
void il_unix_socket_close(struct il_unix_socket *r, bool remove);

/* Accepts the next connection: of the same user or root, or, with `strangers`, of any. -1 and errno: EAGAIN, none. */
int il_unix_socket_accept(int fd, bool strangers);

/* Joins. 0 or errno: ENOENT, ECONNREFUSED: no process listens there. */
int il_unix_socket_connect(const char *path, int *fd);

#endif
