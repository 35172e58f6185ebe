/* SPDX-License-Identifier: MIT
 *
 * One connection, see connection.h. The loop is edge-triggered: what is readable is read until nothing is left, or by a
 * poller in the next turn. Floor 2.
 */
#include "engines/redis/client/connection.h"
#include "base/reason.h"
#include "loop/epoll.h"
#include "loop/state.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TURN = 512 << 10, KEPT = 256 << 10 }; /* bytes */

/* s: of silence, after which the kernel asks whether the other machine is there; between the questions; questions. */
enum { SILENCE = 30, ASK_EVERY = 5, ASK_TIMES = 3 };

enum { LAST_MOMENT = 500 }; /* ms */

/* The first byte of an alert: a TLS server answers so to plain text. */
enum { TLS_ALERT = 0x15 };

static const char CLOSED[] = "the server has closed the connection",
		  CLOSED_AT_ONCE[] =
			  "the server has closed the connection before it answered (one with TLS is rediss://)",
		  SPEAKS_TLS[] = "the server speaks TLS: it is rediss://",
		  SENSELESS[] = "what the server says is not the protocol of Redis, or over a limit";

static void close_socket(struct il_connection *c)
{
	if (c->tls)
		il_tls.close(c->tls);
	c->tls = NULL;
	if (c->io.fd >= 0) {
		il_io_unwatch(&c->io);
		close(c->io.fd);
	}
	c->io.fd = -1;
}

void il_connection_close(struct il_connection *c)
{
	if (c->lookup)
		il_lookup_forget(c->lookup);
	if (c->addresses)
		freeaddrinfo(c->addresses);
	c->lookup = NULL;
	c->addresses = c->next = NULL;
	il_poller_del(&c->writer);
	il_poller_del(&c->reader);
	close_socket(c);
	il_parser_reset(&c->parser);
	c->out.size = c->written = 0;
	c->answers = c->ending = false;
	c->phase = IL_CLOSED;
	c->generation++;
}

void il_connection_fini(struct il_connection *c)
{
	il_connection_close(c);
	il_parser_free(&c->parser);
	free(c->out.bytes);
	c->out = (struct il_resp){ 0 };
}

void il_connection_fail(struct il_connection *c, int err, const char *why)
{
	char copy[256];
	const char *tls = c->tls ? il_tls.why(c->tls) : NULL;
	snprintf(copy, sizeof copy, "%s", why ? why : tls ? tls : strerror(err));
	il_connection_close(c);
	c->lost(c, err, copy);
}

/* Reading ---------------------------------------------------------------------------------------------- */

static void cut(struct il_connection *c, int err)
{
	const char *why = c->answers || c->tls ? CLOSED : CLOSED_AT_ONCE;
	il_connection_fail(c, err, err == ECONNRESET ? why : NULL);
}

/* Hands out all replies that are whole. False: the connection was closed meanwhile. */
static bool hand_out(struct il_connection *c)
{
	uint32_t generation = c->generation;
	bool alert = !c->answers && !c->tls && *c->parser.bytes == TLS_ALERT;
	while (c->generation == generation) {
		const struct il_reply *reply;
		int err = alert ? EPROTO : il_parser_next(&c->parser, &reply);
		if (err) {
			il_connection_fail(c, err, alert ? SPEAKS_TLS : err == EPROTO ? SENSELESS : NULL);
			return false;
		}
		if (!reply)
			return true;
		c->answers = c->reading = true;
		c->replied(c, reply);
		c->reading = false;
	}
	return false;
}

/* Plain bytes are at an end if there was room for more; TLS says so itself. */
static void read_turn(struct il_connection *c)
{
	il_poller_del(&c->reader);
	for (size_t got = 0, room; got < TURN;) {
		char *to = il_parser_room(&c->parser, &room);
		ssize_t n = !to ? -1 : c->tls ? il_tls.read(c->tls, to, room) : recv(c->io.fd, to, room, 0);
		int err = to ? errno : ENOMEM;
		if (n < 0 && err == EINTR)
			continue;
		if (n < 0 && err == EAGAIN)
			return;
		if (n <= 0) {
			cut(c, n ? err : ECONNRESET);
			return;
		}
		bool all = (size_t)n < room && !c->tls && !c->ending;
		il_parser_add(&c->parser, (size_t)n);
		if (!hand_out(c) || all)
			return;
		got += (size_t)n;
	}
	il_poller_add(&c->reader);
}

/* True: the loop must not block, since there may be more. */
static bool read_on(struct il_poller *p)
{
	read_turn(il_container_of(p, struct il_connection, reader));
	return true;
}

void il_connection_read(struct il_connection *c)
{
	if (c->phase == IL_CONNECTED && !c->reading)
		read_turn(c);
}

/* Writing ---------------------------------------------------------------------------------------------- */

int il_connection_send(struct il_connection *c, const char *bytes, size_t size)
{
	if (c->phase != IL_CONNECTED)
		return ENOTCONN;
	c->out.failed = false;
	il_resp_append(&c->out, bytes, size, 0);
	if (c->out.failed)
		return ENOMEM;
	il_poller_add(&c->writer);
	return 0;
}

/* 0: all is written; EAGAIN: not all; or errno. */
static int write_all(struct il_connection *c)
{
	while (c->written < c->out.size) {
		const char *bytes = c->out.bytes + c->written;
		size_t size = c->out.size - c->written;
		ssize_t n = c->tls ? il_tls.write(c->tls, bytes, size) : send(c->io.fd, bytes, size, MSG_NOSIGNAL);
		if (n >= 0)
			c->written += (size_t)n;
		else if (errno != EINTR)
			return errno;
	}
	c->out.size = c->written = 0;
	if (c->out.room > KEPT) {
		free(c->out.bytes);
		c->out = (struct il_resp){ 0 };
	}
	return 0;
}

void il_connection_flush(struct il_connection *c)
{
	il_poller_del(&c->writer);
	if (c->phase != IL_CONNECTED || c->written == c->out.size)
		return;
	int err = write_all(c);
	if (err == EAGAIN)
		err = il_io_watch(&c->io, EPOLLIN | EPOLLOUT);
	if (err)
		il_connection_fail(c, err, NULL);
}

/* True: the loop must not block, since the connection is lost, and other things are due now. */
static bool flush(struct il_poller *p)
{
	struct il_connection *c = il_container_of(p, struct il_connection, writer);
	il_connection_flush(c);
	return c->phase != IL_CONNECTED;
}

/* Connecting: each step returns 0, also if it has closed the connection; EAGAIN, the loop goes on; or errno. ------- */

static int connected(struct il_connection *c)
{
	int err = 0;
	c->phase = IL_CONNECTED;
	if (!c->tls) { /* room to write is of interest only while there is none */
		il_io_unwatch(&c->io);
		err = il_io_watch(&c->io, EPOLLIN);
	}
	if (!err)
		c->connected(c);
	return err;
}

static int shake_hands(struct il_connection *c)
{
	int err = il_tls.shake(c->tls);
	return err ? err : connected(c);
}

static int reached(struct il_connection *c)
{
	if (c->addresses)
		freeaddrinfo(c->addresses);
	c->addresses = c->next = NULL;
	if (!c->url->tls)
		return connected(c);
	c->phase = IL_SHAKING_HANDS;
	int err = il_tls.open(&c->tls, c->url, c->host->name, c->io.fd);
	return err ? err : shake_hands(c);
}

static void set_option(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

static int begin(struct il_connection *c, int family, const struct sockaddr *address, socklen_t size)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		int err = errno;
		il_loop->starved |= il_is_shortage(err);
		return err;
	}
	if (family != AF_UNIX) {
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, SILENCE);
		set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, ASK_EVERY);
		set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, ASK_TIMES);
	}
	c->io.fd = fd;
	c->phase = IL_CONNECTING;
	return connect(fd, address, size) && errno != EINPROGRESS ? errno : il_io_watch(&c->io, EPOLLIN | EPOLLOUT);
}

/* Begins to connect to the first address left for which that is possible; err: there is none. */
static int begin_next(struct il_connection *c, int err)
{
	while (err && c->next) {
		const struct addrinfo *a = c->next;
		c->next = a->ai_next;
		close_socket(c);
		err = begin(c, a->ai_family, a->ai_addr, a->ai_addrlen);
	}
	return err;
}

static int reach(struct il_connection *c, uint32_t events)
{
	int err = 0;
	socklen_t size = sizeof err;
	getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &err, &size);
	if (err)
		return begin_next(c, err);
	return events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? reached(c) : EAGAIN;
}

static void transfer(struct il_connection *c, uint32_t events)
{
	uint32_t generation = c->generation;
	c->ending |= (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0;
	if (events & EPOLLOUT)
		il_connection_flush(c);
	if (c->generation == generation && (c->tls || c->ending || events & EPOLLIN))
		read_turn(c);
}

static void ready(struct il_io *io, uint32_t events)
{
	struct il_connection *c = il_container_of(io, struct il_connection, io);
	int err = 0;
	switch (c->phase) {
	case IL_CONNECTING: err = reach(c, events); break;
	case IL_SHAKING_HANDS: err = shake_hands(c); break;
	default: transfer(c, events);
	}
	if (err && err != EAGAIN)
		il_connection_fail(c, err, NULL);
}

static bool wanted(struct il_io *io)
{
	struct il_connection *c = il_container_of(io, struct il_connection, io);
	return c->wanted(c);
}

static void looked_up(void *owner, struct addrinfo *found, int err, const char *why)
{
	struct il_connection *c = owner;
	c->lookup = NULL;
	c->addresses = c->next = found;
	if (!err)
		err = begin_next(c, EHOSTUNREACH);
	if (err)
		il_connection_fail(c, err, why);
}

static int open_local(struct il_connection *c, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return ENAMETOOLONG;
	strcpy(address.sun_path, path);
	return begin(c, AF_UNIX, (struct sockaddr *)&address, sizeof address);
}

static int open_remote(struct il_connection *c, const struct il_host *host)
{
	c->phase = IL_LOOKING_UP;
	int err = il_lookup_start(host->name, host->port, looked_up, c, &c->addresses, &c->lookup);
	c->next = c->addresses;
	return err || c->lookup ? err : begin_next(c, EHOSTUNREACH);
}

int il_connection_open(struct il_connection *c, const struct il_url *url, const struct il_host *host)
{
	c->url = url;
	c->host = host;
	int err = host->port ? open_remote(c, host) : open_local(c, host->name);
	if (err)
		il_connection_close(c);
	return err;
}

void il_connection_init(struct il_connection *c)
{
	*c = (struct il_connection){ .io = { .fd = -1, .ready = ready, .wanted = wanted } };
	il_poller_init(&c->writer, flush, flush);
	il_poller_init(&c->reader, read_on, read_on);
}

/* The kernel resets a socket that is closed with something unread, and the server may lose the rest. So the server is
 * told that this is the end: it reads, and closes. */
void il_connection_drain(struct il_connection *c)
{
	char buffer[4096];
	il_connection_flush(c);
	if (c->phase != IL_CONNECTED)
		return;
	struct pollfd p = { .fd = c->io.fd, .events = POLLIN };
	shutdown(p.fd, SHUT_WR);
	while (poll(&p, 1, LAST_MOMENT) > 0 && recv(p.fd, buffer, sizeof buffer, 0) > 0)
		;
}
