/* SPDX-License-Identifier: MIT
 *
 * Bytes over a descriptor, see transport.h. Floor 1c.
 */
#include "stream/transport.h"
#include "os/sigpipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The previous owner of a Unix socket may have asked for more than descriptors with the bytes. There is no room for
 * that, and what comes first would be in the way. */
static void want_descriptors_only(int fd)
{
	static const int others[] = {
		SO_PASSCRED,
		SO_PASSSEC,
#ifdef SO_PASSPIDFD
		SO_PASSPIDFD,
#endif
	};
	int off = 0;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		setsockopt(fd, SOL_SOCKET, others[i], &off, sizeof off);
}

static int open_socket(struct il_transport *w)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof type;
	if (getsockopt(w->fd, SOL_SOCKET, SO_TYPE, &type, &size) ||
		getsockopt(w->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size))
		return errno;
	w->socket = w->writable = true;
	w->passes = domain == AF_UNIX;
	if (w->passes)
		want_descriptors_only(w->fd);
	return type == SOCK_STREAM ? 0 : EPROTOTYPE;
}

/* O_NONBLOCK belongs to the open file, which may be our parent's terminal too: so ours is opened anew, where it can be.
 */
static int open_other(struct il_transport *w, mode_t type)
{
	char path[64];
	int flags = fcntl(w->fd, F_GETFL);
	if (flags < 0)
		return errno;
	w->writable = (flags & O_ACCMODE) != O_RDONLY;
	if (S_ISREG(type) || S_ISBLK(type) || flags & O_NONBLOCK)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", w->fd);
	int own = open(path, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (own < 0)
		return fcntl(w->fd, F_SETFL, flags | O_NONBLOCK) ? errno : 0;
	close(w->fd);
	w->fd = own;
	return 0;
}

int il_transport_open(struct il_transport *w, int fd)
{
	struct stat st;
	*w = (struct il_transport){ .fd = fd };
	int err = fstat(fd, &st) ? errno : 0;
	if (err) {
		w->fd = -1;
		return err;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	err = S_ISDIR(st.st_mode) ? EISDIR : S_ISSOCK(st.st_mode) ? open_socket(w) : open_other(w, st.st_mode);
	if (err)
		il_transport_close(w);
	return err;
}

void il_transport_close(struct il_transport *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Room for one, the kernel closes what does not fit. CMSG_SPACE would be room for two: it counts the padding. */
enum { ONE_DESCRIPTOR = CMSG_LEN(sizeof(int)) };

int il_transport_room(const struct il_transport *w)
{
	static int number = -1; /* was free lately: to ask for one is cheap */
	if (!w->passes || (number >= 0 && fcntl(number, F_GETFD) < 0))
		return 0;
	int copy = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return errno;
	close(copy);
	number = copy;
	return 0;
}

ssize_t il_transport_peek(const struct il_transport *w, void *buffer, size_t size)
{
	return recv(w->fd, buffer, size, MSG_DONTWAIT | MSG_PEEK);
}

static ssize_t read_unix(struct il_transport *w, void *buffer, size_t size, int *passed)
{
	union control control;
	struct iovec part = { buffer, size };
	struct msghdr m = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = ONE_DESCRIPTOR };
	ssize_t n = recvmsg(w->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 && m.msg_controllen ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(passed, CMSG_DATA(c), sizeof(int));
	else if (n >= 0 && m.msg_flags & MSG_CTRUNC)
		*passed = IL_PASSED_IN_VAIN;
	return n;
}

ssize_t il_transport_read(struct il_transport *w, void *buffer, size_t size, int *passed)
{
	ssize_t n;
	*passed = IL_NOTHING_PASSED;
	do
		n = w->passes       ? read_unix(w, buffer, size, passed)
			: w->socket ? recv(w->fd, buffer, size, MSG_DONTWAIT)
				    : read(w->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t write_socket(struct il_transport *w, struct iovec *parts, int count, int pass)
{
	if (count == 1 && pass < 0) /* what a hub does for each client: cheaper than sendmsg */
		return send(w->fd, parts[0].iov_base, parts[0].iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	union control control = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	if (pass >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	return sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Only sockets can be told not to raise signals. */
static ssize_t write_other(struct il_transport *w, struct iovec *parts, int count)
{
	struct il_sigpipe quiet;
	il_sigpipe_hold(&quiet);
	ssize_t n = writev(w->fd, parts, count);
	il_sigpipe_release(&quiet, n < 0 ? errno : 0);
	return n;
}

ssize_t il_transport_write(struct il_transport *w, struct iovec *parts, int count, int pass)
{
	ssize_t n;
	do
		n = w->socket ? write_socket(w, parts, count, pass) : write_other(w, parts, count);
	while (n < 0 && errno == EINTR);
	return n;
}

bool il_transport_hung_up(const struct il_transport *w)
{
	struct pollfd p = { .fd = w->fd };
	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL);
}

int il_transport_finish(struct il_transport *w)
{
	if (w->socket)
		return shutdown(w->fd, SHUT_WR) ? errno : 0;
	return EOPNOTSUPP;
}
