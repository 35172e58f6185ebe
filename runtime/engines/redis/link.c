/* SPDX-License-Identifier: MIT
 *
 * One connection, see link.h. The loop is edge-triggered and hiredis is made for others, so it reads here until
 * there is nothing left. Floor 2.
 */
#include "engines/redis/link.h"
#include "loop/quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A machine that is gone says nothing: the kernel asks after some seconds of silence, and gives up after some more. */
enum { SILENCE = 5, ASK_EVERY = 2, ASK_TIMES = 3, UNANSWERED = 10000 };

enum { LAST_MOMENT = 500 }; /* ms */

static redisReply *kept;

static void free_unless_kept(void *reply)
{
	if (reply == kept)
		kept = NULL;
	else
		freeReplyObject(reply);
}

void il_link_keep(redisReply *reply)
{
	kept = reply;
}

static struct il_link *link_of(const redisAsyncContext *c)
{
	return c->data;
}

/* What hiredis says of an error, as errno. */
static int error_of(const redisAsyncContext *c)
{
	int err = 0;
	socklen_t size = sizeof err;
	if (c->err == REDIS_ERR_EOF)
		return ECONNRESET;
	if (c->err == REDIS_ERR_PROTOCOL)
		return EPROTO;
	if (c->err == REDIS_ERR_OOM)
		return ENOMEM;
	if (c->c.fd >= 0)
		getsockopt(c->c.fd, SOL_SOCKET, SO_ERROR, &err, &size);
	return err ? err : errno ? errno : ECONNREFUSED;
}

static void lose(struct il_link *l, int err, const char *why)
{
	char copy[256];
	snprintf(copy, sizeof copy, "%s", why && *why ? why : strerror(err));
	il_link_close(l);
	l->lost(l, err, copy);
}

/* hiredis frees the context after this, whoever began it. */
static void cleanup(void *data)
{
	struct il_link *l = data;
	if (l->context)
		l->context->ev.cleanup = NULL; /* once */
	il_io_unwatch(&l->io);
	il_poller_del(&l->writer);
	l->context = NULL;
	l->connected = l->up = false;
}

/* hiredis is about to free the context, and must not be asked to do so once more. */
static void lost_by_itself(struct il_link *l, const redisAsyncContext *c)
{
	char why[256];
	int err = error_of(c);
	snprintf(why, sizeof why, "%s", c->err == REDIS_ERR_IO || !*c->errstr ? strerror(err) : c->errstr);
	cleanup(l);
	l->lost(l, err, why);
}

static void on_disconnect(const redisAsyncContext *c, int status)
{
	struct il_link *l = link_of(c);
	if (status != REDIS_OK) /* else it was il_link_close; cleanup has been called already */
		lost_by_itself(l, c);
}

static void greeted(redisAsyncContext *c, void *data, void *unused)
{
	const redisReply *reply = data;
	struct il_link *l = link_of(c);
	(void)unused;
	if (!reply || l->context != c)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		lose(l, strncmp(reply->str, "WRONGPASS", 9) == 0 || strncmp(reply->str, "NOAUTH", 6) == 0 ||
			strncmp(reply->str, "ERR AUTH", 8) == 0 || strncmp(reply->str, "NOPERM", 6) == 0 ? EACCES : EPROTO,
		     reply->str);
		return;
	}
	if (--l->greetings == 0) {
		l->up = true;
		l->opened(l);
	}
}

/* Always the user's name and the database, also the usual ones: the answer shows that it is a server that answers. */
static int greet(struct il_link *l, const struct il_url *u)
{
	redisAsyncContext *c = l->context;
	bool failed = false;
	l->greetings = 1;
	if (u->password) {
		l->greetings++;
		failed = u->user ? redisAsyncCommand(c, greeted, NULL, "AUTH %s %s", u->user, u->password)
				 : redisAsyncCommand(c, greeted, NULL, "AUTH %s", u->password);
	}
	failed |= redisAsyncCommand(c, greeted, NULL, "SELECT %d", u->db) != REDIS_OK;
	return failed ? ENOMEM : 0;
}

static void on_connect(const redisAsyncContext *c, int status)
{
	struct il_link *l = link_of(c);
	if (l->context != c)
		return;
	if (status != REDIS_OK) {
		lost_by_itself(l, c);
		return;
	}
	l->connected = true;
	il_io_unwatch(&l->io);          /* room to write is of interest only while there is none */
	il_io_watch(&l->io, EPOLLIN); /* ENOMEM: no request will be answered in time */
}

static size_t unwritten(const struct il_link *l)
{
	return l->context ? sdslen(l->context->c.obuf) : 0;
}

static void write_now(struct il_link *l)
{
	struct il_quiet quiet;
	redisAsyncContext *c = l->context;
	il_quiet_begin(&quiet);
	errno = 0;
	redisAsyncHandleWrite(c);
	il_quiet_end(&quiet, l->context != c ? EPIPE : 0); /* by now errno is not the write's any more */
}

void il_link_flush(struct il_link *l)
{
	il_poller_del(&l->writer);
	if (!l->connected || !unwritten(l))
		return;
	write_now(l);
	int err = unwritten(l) ? il_io_watch(&l->io, EPOLLIN | EPOLLOUT) : 0;
	if (err)
		lose(l, err, NULL);
}

/* True: the loop must not block as it meant to, for what is due now is something else. */
static bool flush(struct il_poller *p)
{
	struct il_link *l = il_container_of(p, struct il_link, writer);
	il_link_flush(l);
	return !l->context;
}

static void wants_write(void *data)
{
	struct il_link *l = data;
	if (l->connected)
		il_poller_add(&l->writer);
}

static void nothing(void *data)
{
	(void)data;
}

static void read_all(struct il_link *l, bool ends)
{
	const redisAsyncContext *c = l->context;
	int waiting = 0;
	do
		redisAsyncHandleRead(l->context);
	while (l->context == c && (ends || (ioctl(l->io.fd, FIONREAD, &waiting) == 0 && waiting > 0)));
}

void il_link_look(struct il_link *l)
{
	int waiting = 0;
	if (l->connected && ioctl(l->io.fd, FIONREAD, &waiting) == 0 && waiting > 0)
		read_all(l, false);
}

static void ready(struct il_io *io, uint32_t events)
{
	struct il_link *l = il_container_of(io, struct il_link, io);
	bool ends = events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP);
	if (!l->connected && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		write_now(l);
	else if (events & EPOLLOUT)
		il_link_flush(l);
	if (l->context && l->connected && (ends || events & EPOLLIN))
		read_all(l, ends);
}

static bool wanted(struct il_io *io)
{
	struct il_link *l = il_container_of(io, struct il_link, io);
	return l->wanted(l);
}

static void keep_alive(int fd)
{
	int values[] = { 1, SILENCE, ASK_EVERY, ASK_TIMES, 1, UNANSWERED };
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &values[0], sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &values[1], sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &values[2], sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &values[3], sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &values[4], sizeof(int));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &values[5], sizeof(int));
}

static int attach(struct il_link *l, redisAsyncContext *c, bool local)
{
	l->context = c;
	l->io = (struct il_io){ .fd = c->c.fd, .ready = ready, .wanted = wanted };
	il_poller_init(&l->writer, flush, flush);
	fcntl(c->c.fd, F_SETFD, FD_CLOEXEC);
	if (!local)
		keep_alive(c->c.fd);
	c->data = c->ev.data = l;
	c->ev.addRead = c->ev.delRead = c->ev.delWrite = nothing;
	c->ev.addWrite = wants_write;
	c->ev.cleanup = cleanup;
	static redisReplyObjectFunctions functions;
	functions = *c->c.reader->fn;
	functions.freeObject = free_unless_kept;
	c->c.reader->fn = &functions;
	redisAsyncSetConnectCallback(c, on_connect);
	redisAsyncSetDisconnectCallback(c, on_disconnect);
	return il_io_watch(&l->io, EPOLLIN | EPOLLOUT);
}

int il_link_open(struct il_link *l, const struct il_url *url, const char **why)
{
	errno = 0;
	*why = NULL;
	redisAsyncContext *c = url->local ? redisAsyncConnectUnix(url->host) : redisAsyncConnect(url->host, url->port);
	if (!c)
		return ENOMEM;
	if (c->err) {
		static char text[256];
		int err = c->err == REDIS_ERR_IO && errno ? errno : c->err == REDIS_ERR_OTHER ? EHOSTUNREACH : EIO;
		snprintf(text, sizeof text, "%s", c->err == REDIS_ERR_IO ? strerror(err) : c->errstr);
		*why = text;
		redisAsyncFree(c);
		return err;
	}
	int err = attach(l, c, url->local);
	if (!err)
		err = greet(l, url);
	if (err)
		il_link_close(l);
	return err;
}

void il_link_close(struct il_link *l)
{
	redisAsyncContext *c = l->context;
	if (!c)
		return;
	cleanup(l); /* before: the callbacks it calls see no connection */
	redisAsyncFree(c);
}

int il_link_say(struct il_link *l, const char *command, size_t size, redisCallbackFn *answered, void *data)
{
	if (!l->context)
		return ENOTCONN;
	return redisAsyncFormattedCommand(l->context, answered, data, command, size) == REDIS_OK ? 0 : ENOMEM;
}

/* A socket that is closed with something unread is reset, and the server may not read the rest: so it is told that this is
 * the end, and reads and closes. */
void il_link_drain(struct il_link *l)
{
	char buffer[4096];
	il_link_flush(l);
	if (!l->up)
		return;
	struct pollfd p = { .fd = l->io.fd, .events = POLLIN };
	shutdown(p.fd, SHUT_WR);
	while (poll(&p, 1, LAST_MOMENT) > 0 && read(p.fd, buffer, sizeof buffer) > 0)
		;
}
