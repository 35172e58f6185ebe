/* SPDX-License-Identifier: MIT
 *
 * Bytes over a descriptor of any kind, never waiting: sockets, pipes, terminals, files. Writing to a closed end is
 * EPIPE and no SIGPIPE. Over a Unix socket a descriptor can travel with the bytes.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_TRANSPORT_H
#define IL_STREAM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct il_transport {
	int fd; /* -1: closed */
	bool socket;
	bool passes; /* a Unix socket: descriptors can travel */
	bool writable;
};

/* Takes fd over, also if it fails; it becomes CLOEXEC, and where waiting is a property of the open file, it is opened
 * anew, so that others that share it notice nothing. 0 or errno: EBADF, EISDIR, EPROTOTYPE (a socket without a stream).
 */
int il_transport_open(struct il_transport *w, int fd);

void il_transport_close(struct il_transport *w);

enum { IL_NOTHING_PASSED = -1, IL_PASSED_IN_VAIN = -2 };

/* Bytes read, 0 at the end, or -1 and errno. *passed is a descriptor that came with them; or that none came; or that
 * one came for which there was no room here. A read ends behind a descriptor, even if there is more. */
ssize_t il_transport_read(struct il_transport *w, void *buffer, size_t size, int *passed);

/* Before a read: 0, or EMFILE and the like: a descriptor that comes with the bytes would be lost. */
int il_transport_room(const struct il_transport *w);

/* The same bytes as the next read, at a socket, which stay there. */
ssize_t il_transport_peek(const struct il_transport *w, void *buffer, size_t size);

/* Bytes written, or -1 and errno. `pass` travels with the first byte, or is -1. */
ssize_t il_transport_write(struct il_transport *w, struct iovec *parts, int count, int pass);

/* The other end of a socket is closed. False when that end has only shut down its writing. */
bool il_transport_hung_up(const struct il_transport *w);

/* No more will be written: the reader comes to the end. 0 or errno. */
int il_transport_finish(struct il_transport *w);

#endif
