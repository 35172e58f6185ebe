/* SPDX-License-Identifier: MIT
 *
 * A hub that listens at a path, see hub_listen.h. Floor 1c.
 */
#include "stream/hub_listen.h"
#include "base/reason.h"
#include "loop/epoll.h"
#include "loop/state.h"
#include "stream/state.h"
#include "stream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* ns: until the next accept(2) after there was no descriptor for one. That there is one again has no event. */
enum { RETRY = 50000000 };

/* After so many misses the garbage is collected, once: it may have descriptors. */
enum { MISSES = 10 };

void il_hub_accept_after(struct il_hub *h, int64_t ns)
{
	il_timer_start(&h->retry, ns);
	il_timer_arm(&h->retry, false);
}

static void accept_all(struct il_io *io, uint32_t events)
{
	struct il_hub *h = il_container_of(io, struct il_hub, listener);
	int fd, starved = h->starved;
	(void)events;
	while ((fd = il_unix_socket_accept(io->fd, h->strangers)) >= 0) {
		struct il_stream *s;
		if (il_stream_open(&s, fd, &h->options) == 0)
			il_hub_add(h, s);
	}
	h->starved = il_is_shortage(errno) ? starved + 1 : 0;
	if (h->starved)
		il_hub_accept_after(h, RETRY);
	il_loop->starved |= h->starved == MISSES;
	il_hub_serve_receivers(h); /* its first message may be there */
}

static void accept_again(struct il_timer *t)
{
	accept_all(&il_container_of(t, struct il_hub, retry)->listener, 0);
}

int il_hub_listen(struct il_hub *h, const char *path, unsigned mode)
{
	if (h->path)
		return EISCONN;
	char *copy = strdup(path);
	int err = copy ? il_unix_socket_listen(&h->place, path, mode) : ENOMEM;
	h->listener.fd = err ? -1 : h->place.fd;
	h->listener.ready = accept_all;
	h->retry.expired = accept_again;
	if (!err && (err = il_io_watch(&h->listener, EPOLLIN)))
		il_unix_socket_close(&h->place, true);
	if (err) {
		h->listener.fd = -1;
		free(copy);
		return err;
	}
	h->path = copy;
	h->strangers = mode & 077;
	if (il_list_empty(&h->node))
		il_list_add(&il_streams()->hubs, &h->node);
	return 0;
}

int il_hub_connect(struct il_stream **s, const char *path, const struct il_stream_options *o)
{
	int fd, err = il_epoll_open(); /* or it could not be waited for later */
	if (!err)
		err = il_unix_socket_connect(path, &fd);
	return err ? err : il_stream_open(s, fd, o);
}
