/* SPDX-License-Identifier: MIT
 *
 * One end with many streams, see hub.h. A message to all is queued for all at once, when every client has room, or for
 * none: so a send that times out has not happened.
 * Floor 1c.
 */
#include "stream/hub.h"
#include "base/fork.h"
#include "loop/epoll.h"
#include "stream/client_table.h"
#include "stream/hub_listen.h"
#include "stream/state.h"
#include "stream/stream.h"
#include "stream/stream_end.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static void drop_all(void);

/* In a forked child all hubs are its parent's. */
static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .anew = drop_all };

static void end_send(struct il_op *op, int err)
{
	il_packet_drop(op->data);
	il_list_del(&op->link);
	il_op_finish(op, err);
}

static void serve_senders(struct il_hub *h);

void il_hub_init(struct il_hub *h)
{
	*h = (struct il_hub){ .listener.fd = -1, .pid = il_fork.pid, .generation = il_fork.generation };
	il_list_init(&h->clients);
	il_list_init(&h->ready);
	il_list_init(&h->receivers);
	il_list_init(&h->senders);
	il_list_init(&h->node);
	il_fork_add(&fork_hook);
}

/* Clients -------------------------------------------------------------------------------------------- */

static void forget(struct il_client *c)
{
	il_list_del(&c->node);
	il_list_del(&c->ready);
	il_client_table_del(c->hub, c);
	c->hub->count--;
	free(c);
}

void il_hub_disconnect(struct il_client *c)
{
	struct il_hub *h = c->hub;
	il_stream_abandon(c->stream);
	forget(c);
	if (h->starved) /* not now: a loop over the clients must not find others than before */
		il_hub_accept_after(h, 0);
}

/* The loop has news of a client. */
static void called(struct il_stream *s)
{
	struct il_client *c = s->owner;
	struct il_hub *h = c->hub;
	if (il_list_empty(&c->ready) && !s->drained)
		il_list_add(&h->ready, &c->ready);
	il_hub_serve_receivers(h);
	serve_senders(h);
}

int il_hub_add(struct il_hub *h, struct il_stream *s)
{
	struct il_client *c = calloc(1, sizeof *c);
	int err = c && il_client_table_prepare(h) ? il_io_watch(&s->io, EPOLLIN) : ENOMEM;
	if (err) {
		free(c);
		il_stream_abandon(s);
		return err;
	}
	if (il_list_empty(&h->node))
		il_list_add(&il_streams()->hubs, &h->node);
	il_stream_refuse_handles(s);
	c->hub = h;
	c->stream = s;
	c->id = ++h->last_id;
	s->owner = c;
	s->called = called;
	il_list_init(&c->ready);
	il_list_add(&h->clients, &c->node);
	il_list_add(&h->ready, &c->ready);
	il_client_table_add(h, c);
	h->count++;
	return 0;
}

int il_hub_create(struct il_hub *h, struct il_stream **theirs)
{
	struct il_stream *pair[2];
	int err = il_stream_pair(pair, &h->options);
	if (err)
		return err;
	err = il_hub_add(h, pair[0]);
	if (err) {
		il_stream_abandon(pair[1]);
		return err;
	}
	*theirs = pair[1];
	return 0;
}

/* One that has only said that it will send no more is still sent to. */
static bool has_gone(struct il_client *c)
{
	return il_stream_at_end(c->stream) && il_transport_hung_up(&c->stream->transport);
}

void il_hub_sweep(struct il_hub *h)
{
	il_list_each_safe(struct il_client, c, &h->clients, node)
		if (c->stream->hangup && has_gone(c))
			il_hub_disconnect(c);
}

/* Receiving ------------------------------------------------------------------------------------------- */

/* The clients that have something take turns. One that has gone is taken out. */
static bool receive(struct il_hub *h, struct il_op *op, bool copy)
{
	il_list_drain(struct il_client, c, &h->ready, ready) {
		if (!il_stream_take(c->stream, op, copy))
			continue; /* it will call */
		op->arg = c->id;
		if (!op->err || op->err == ENOMEM)
			il_list_add(&h->ready, &c->ready);
		else if (op->err != ECONNRESET || il_transport_hung_up(&c->stream->transport))
			il_hub_disconnect(c);
		if (!op->err || op->err == EMSGSIZE || op->err == ENOMEM)
			return true;
		op->err = 0; /* it has gone, or failed: nothing of it is lost */
	}
	return false;
}

bool il_hub_receive_attempt(struct il_op *op)
{
	struct il_hub *h = op->source;
	return il_list_empty(&h->receivers) && receive(h, op, false);
}

int il_hub_receive_start(struct il_op *op)
{
	il_list_add(&((struct il_hub *)op->source)->receivers, &op->link);
	return 0;
}

void il_hub_serve_receivers(struct il_hub *h)
{
	struct il_op *op;
	while ((op = il_list_first(struct il_op, &h->receivers, link)) && receive(h, op, true)) {
		il_list_del(&op->link);
		il_op_finish(op, op->err);
	}
}

struct il_client *il_hub_front(struct il_hub *h, char **data, size_t *size)
{
	if (!il_list_empty(&h->receivers))
		return NULL;
	il_list_each_safe(struct il_client, c, &h->ready, ready) {
		if (il_stream_front(c->stream, data, size))
			return c;
		if (il_stream_is_drained(c->stream))
			il_list_del(&c->ready); /* it will call */
	}
	return NULL;
}

void il_hub_skip(struct il_client *c, const char *data, size_t size)
{
	il_stream_skip(c->stream, data, size);
	il_list_del(&c->ready);
	il_list_add(&c->hub->ready, &c->ready);
}

/* Sending --------------------------------------------------------------------------------------------- */

static bool fits(const struct il_hub *h, const struct il_client *c, const struct il_packet *p)
{
	const struct il_write_queue *out = &c->stream->out;
	return il_list_empty(&out->queue) || out->bytes + p->size <= h->limit;
}

/* What was only gathered is in no client's way. */
static bool has_room(const struct il_hub *h, const struct il_client *c, const struct il_packet *p)
{
	if (!fits(h, c, p) && !il_list_empty(&c->stream->gathered))
		il_stream_flush(c->stream);
	return fits(h, c, p);
}

static bool all_have_room(struct il_hub *h, struct il_packet *p)
{
	il_list_each(struct il_client, c, &h->clients, node)
		if (!has_room(h, c, p))
			return false;
	return true;
}

/* 0: it has been given the packet. ENOBUFS: the packet is dropped. ECONNRESET: it has gone. */
static int give(struct il_hub *h, struct il_client *c, struct il_packet *p)
{
	if (!has_room(h, c, p) && h->backpressure == IL_DISCONNECT) {
		il_hub_disconnect(c);
		return ECONNRESET;
	}
	while (!has_room(h, c, p) && il_write_queue_drop_oldest(&c->stream->out))
		h->dropped++;
	if (!has_room(h, c, p)) { /* a packet larger than the limit is half out */
		h->dropped++;
		return ENOBUFS;
	}
	if (il_stream_post(c->stream, p)) {
		c->stream->hangup = true;
		if (il_stream_at_end(c->stream))
			il_hub_disconnect(c);
		return ECONNRESET;
	}
	return 0;
}

static bool send_to_all(struct il_hub *h, struct il_op *op)
{
	if (h->backpressure == IL_BLOCK && !all_have_room(h, op->data))
		return false;
	op->size = 0;
	il_list_each_safe(struct il_client, c, &h->clients, node)
		op->size += !give(h, c, op->data);
	return true;
}

static bool send_to_one(struct il_hub *h, struct il_op *op)
{
	struct il_client *c = il_client_table_find(h, op->arg);
	if (c && h->backpressure == IL_BLOCK && !has_room(h, c, op->data))
		return false;
	op->err = c ? give(h, c, op->data) : ENOENT;
	return true;
}

static bool transmit(struct il_hub *h, struct il_op *op)
{
	return op->arg ? send_to_one(h, op) : send_to_all(h, op);
}

bool il_hub_send_attempt(struct il_op *op)
{
	struct il_hub *h = op->source;
	return il_list_empty(&h->senders) && transmit(h, op);
}

/* The packet may lose its owner meanwhile. */
int il_hub_send_start(struct il_op *op)
{
	((struct il_packet *)op->data)->refs++;
	il_list_add(&((struct il_hub *)op->source)->senders, &op->link);
	return 0;
}

static void serve_senders(struct il_hub *h)
{
	struct il_op *op;
	while ((op = il_list_first(struct il_op, &h->senders, link)) && transmit(h, op))
		end_send(op, op->err);
}

void il_hub_flush(struct il_hub *h)
{
	il_list_each(struct il_client, c, &h->clients, node)
		if (!il_list_empty(&c->stream->gathered))
			il_stream_flush(c->stream);
}

bool il_hub_send_cancel(struct il_op *op)
{
	il_packet_drop(op->data);
	return il_hub_cancel(op);
}

bool il_hub_cancel(struct il_op *op)
{
	il_list_del(&op->link);
	return false;
}

/* The end --------------------------------------------------------------------------------------------- */

static void let_go(struct il_hub *h, void (*end)(struct il_stream *))
{
	il_list_drain(struct il_client, c, &h->clients, node) {
		end(c->stream);
		forget(c);
	}
	h->starved = 0;
	il_timer_disarm(&h->retry);
	il_io_unwatch(&h->listener);
	if (h->path)
		il_unix_socket_close(&h->place, il_fork_is_own(h->generation));
	h->listener.fd = -1;
	free(h->path);
	h->path = NULL;
	il_client_table_fini(h);
	il_list_del(&h->node);
}

void il_hub_close(struct il_hub *h)
{
	il_op_finish_all(&h->receivers, ECONNRESET);
	il_list_drain(struct il_op, op, &h->senders, link)
		end_send(op, ECONNRESET);
	let_go(h, il_stream_close);
}

static void drop_all(void)
{
	il_list_drain(struct il_hub, h, &il_streams()->hubs, node)
		let_go(h, il_stream_abandon);
}
