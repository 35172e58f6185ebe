/* SPDX-License-Identifier: MIT
 *
 * Many messages at once, see queue_many.h. Each becomes a message, and ceases to be one, by a store of its own: a
 * process that dies in between has sent the first ones, or received them. What is done once for all of them is to take
 * the latch, to announce the change, and to call those that wait. Floor 2.
 */
#include "engines/shm/queue_many.h"
#include "engines/payloads.h"
#include "engines/shm/queue_receive.h"
#include "engines/shm/queue_room.h"
#include "engines/shm/queue_send.h"
#include "engines/shm/queue_tend.h"

#include <errno.h>
#include <string.h>
#include <stdlib.h>

enum { MOST = 1024 }; /* messages, until others may have the latch */

/* Sending ------------------------------------------------------------------------------------------------ */

/* Messages that are still to be sent, as far as that matters. */
static uint32_t count_left(const struct il_op *op, uint32_t most)
{
	uint32_t n = 0;
	for (size_t at = op->message.sent; at < op->size && n < most; n++)
		at += il_payload_space(il_payload_at(op->data, at)->size);
	return n;
}

/* Before the first of them is there: as many processes are to be on their way as there are messages for. */
static void announce(struct il_shm_queue *o, const struct il_op *op)
{
	il_segment_change(&o->segment, IL_SHM_RECEIVERS);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		il_shm_queue_call(o, op->message.type, count_left(op, IL_SHM_MOST_WAITERS));
}

/* The first one says that there are some. */
static int send_one(struct il_shm_queue *o, struct il_op *op, bool first, bool both)
{
	const struct il_payload *p = il_payload_at(op->data, op->message.sent);
	uint32_t block;
	int err = il_shm_queue_write(o, p->type, il_payload_bytes(p), p->size, both, &block);
	if (err)
		return err;
	if (first)
		announce(o, op);
	il_blocks_commit(&o->blocks, block);
	if (first)
		il_wait_queue_note_change(&o->receivers, (uint64_t)p->type);
	op->message.sent += il_payload_space(p->size);
	return 0;
}

/* With the segment's latch, or both. One that cannot follow the others at once is sent by itself. 0: all that may be
 * sent at a time; or why not. */
static int send_some(struct il_shm_queue *o, struct il_op *op, bool both)
{
	uint32_t most = MOST;
	while (most && op->message.sent < op->size) {
		int err = send_one(o, op, most == MOST, both);
		if (err)
			return err;
		most--;
		const char *rest = (const char *)op->data + op->message.sent;
		op->message.sent += il_shm_queue_append(o, rest, op->size - op->message.sent, &most);
	}
	return 0;
}

int il_shm_queue_send_all(struct il_shm_queue *o, struct il_op *op)
{
	int err;
	do
		err = send_some(o, op, true);
	while (!err && op->message.sent < op->size);
	return err;
}

static int send_alone(struct il_shm_queue *o, struct il_op *op)
{
	int err = op->once ? il_segment_enter(&o->segment) : il_segment_enter_soon(&o->segment);
	if (err)
		return err;
	err = send_some(o, op, false);
	if (o->segment.lost)
		err = EUCLEAN;
	il_segment_leave(&o->segment);
	return err;
}

bool il_shm_queue_send_many_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_wait_queue *waits = &o->senders;
	int err = EAGAIN;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	if (il_list_empty(&waits->ops)) /* none is served before the first */
		do
			err = send_alone(o, op);
		while (!err && op->message.sent < op->size);
	return il_shm_queue_attempted(o, waits, op, err == EAGAIN && op->once ? 0 : err);
}

bool il_shm_queue_send_many_cancel(struct il_op *op)
{
	il_shm_queue_send_cancel(op);
	op->err = 0;
	return op->wait->winner == IL_TIMEOUT;
}

/* Receiving ---------------------------------------------------------------------------------------------- */

/* The oldest ones, as long as nothing has to be looked for, or found to be missing. Each is taken away by a store. */
static uint32_t receive_oldest(struct il_shm_queue *o, struct il_op *op, size_t most)
{
	struct il_shm_receiving *r = o->blocks.receiving;
	struct il_payloads *all = op->data;
	struct il_message m;
	uint32_t n = 0, blocks = 0;
	uint64_t bytes = 0;
	void *text;
	while (n < most && il_order_oldest(&o->blocks, op->message.type, &m) && il_is_whole(&o->blocks, &m) &&
		(text = il_payloads_add(&all, m.type, m.size, most - n))) {
		if (m.size)
			memcpy(text, il_extent_text(&o->blocks, m.block, true), m.size);
		if (n++ == 0)
			il_shm_queue_make_room(o);
		il_put64(&r->first, m.place + 1); /* here it is no message any more */
		blocks += m.length;
		bytes += m.size;
	}
	if (!n)
		return 0;
	il_blocks_passed(&o->blocks, n, bytes, blocks);
	op->data = all;
	op->size = all->size;
	op->owned = true;
	return n;
}

/* The message comes behind those that the operation has. */
static int add(struct il_shm_queue *o, struct il_op *op, const struct il_message *m, size_t expected)
{
	struct il_payloads *all = op->data;
	void *text = il_payloads_add(&all, m->type, m->size, expected);
	if (!text)
		return ENOMEM;
	op->data = all;
	op->owned = true;
	int err = il_blocks_read(&o->blocks, m, text);
	if (err)
		il_payloads_remove_last(all, m->size);
	op->size = all->size;
	return err;
}

/* With the receivers' latch; with both, if senders sleep. 0: so many as may be received at a time; or why not. */
static int receive_some(struct il_shm_queue *o, struct il_op *op, size_t *left)
{
	size_t most = *left < MOST ? *left : MOST, n = receive_oldest(o, op, most);
	struct il_message m;
	int err = 0;
	for (; n < most && !err; n++) {
		err = il_order_find(&o->blocks, &o->seen, op->message.type, &m);
		if (!err)
			err = add(o, op, &m, most - n);
		if (err)
			break;
		if (n == 0)
			il_shm_queue_make_room(o);
		err = il_shm_queue_take_away(o, &m);
	}
	*left -= n;
	return err;
}

/* What it has got it has. */
static int received(struct il_shm_queue *o, struct il_op *op, int err)
{
	if (o->segment.lost || !op->size) {
		il_op_clear(op);
		return o->segment.lost ? EUCLEAN : err;
	}
	return 0;
}

int il_shm_queue_receive_all(struct il_shm_queue *o, struct il_op *op)
{
	size_t left = op->message.count;
	int err = 0;
	while (!err && left)
		err = receive_some(o, op, &left);
	return received(o, op, err);
}

static int receive_with_both(struct il_shm_queue *o, struct il_op *op, size_t *left)
{
	int err = il_shm_queue_enter_tended(o, op->source, op->once && !op->size, !op->once);
	if (err)
		return err;
	err = receive_some(o, op, left);
	il_shm_queue_leave(o);
	return err;
}

static int receive_alone(struct il_shm_queue *o, struct il_op *op, size_t *left)
{
	int err = op->once ? il_second_enter(&o->second) : il_second_enter_soon(&o->second);
	if (err)
		return err;
	bool others = o->blocks.receiving->others;
	bool both = il_get(&o->second.shared->parked) || (others && il_shm_queue_needs_tending(o));
	if (!both)
		err = receive_some(o, op, left);
	il_second_leave(&o->second);
	both |= err == EAGAIN && op->once && !op->size && others;
	return both ? receive_with_both(o, op, left) : err;
}

bool il_shm_queue_receive_many_attempt(struct il_op *op)
{
	struct il_shm_queue *o = il_shm_queue_of_op(op);
	struct il_wait_queue *waits = &o->receivers;
	size_t left = op->message.count;
	int err = 0;
	if (!il_list_empty(&waits->ops))
		waits->poller.poll(&waits->poller);
	while (!err && left)
		err = receive_alone(o, op, &left);
	return il_shm_queue_attempted(o, waits, op, received(o, op, err));
}
