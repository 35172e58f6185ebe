/* SPDX-License-Identifier: MIT
 *
 * The crowd, see queue_crowd.h. One thread waits for a message of any type, and takes none, as the threads for one type
 * do not: it offers no room. The loop's thread then copies what is at the front of the queue, message by message, to
 * learn the types, and tries the receivers that want them.
 *
 * The thread would be woken again and again by messages that no operation here wants. If all of these are of one type,
 * it passes over that type. If they are of several types, the loop polls from time to time.
 *
 * An empty message needs no room, so the thread takes it, whatever its type. It goes to an operation that waits for it,
 * or back to the queue at once.
 * Floor 2.
 */
#include "engines/sysv/queue_crowd.h"
#include "engines/sysv/queue_receive.h"
#include "engines/sysv/queue_types.h"
#include "engines/sysv/state.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_THREADS = 4 }; /* so many types have a thread each, which is woken for nothing else */
enum { MOST_PLACES = 64 }; /* how far into a queue messages are copied */

static struct il_msg_object *object_of(struct il_msg_crowd *c)
{
	return il_container_of(c, struct il_msg_object, crowd);
}

bool il_msg_crowd_wanted(const struct il_msg_waiters *w)
{
	return !il_list_empty(&w->crowd) || w->object->threads >= MOST_THREADS;
}

static void work(struct il_work *item)
{
	struct il_msg_crowd *c = il_container_of(item, struct il_msg_crowd, item);
	struct il_msg_object *o = object_of(c);
	do {
		ssize_t n = msgrcv(o->id, &c->message->type, 0, c->but, c->but ? MSG_EXCEPT : 0);
		c->taken = n == 0;
		c->result = n == 0 || errno == E2BIG ? 0 : il_msg_removed(errno);
	} while (c->result == EINTR && !il_work_cancelled(item));
}

/* As long as it is among the kept ones any operation may take it. */
static void deliver(struct il_msg_object *o, struct il_msg *m)
{
	m->size = 0;
	il_list_add(&o->kept, &m->node);
	il_msg_retry(o, m->type, NULL);
	il_list_each(struct il_msg, kept, &o->kept, node)
		if (kept == m) {
			il_list_del(&m->node);
			il_msg_send_back(o, m);
			return;
		}
}

/* They find out themselves what is wrong. */
static void disperse(struct il_msg_object *o)
{
	il_list_drain(struct il_msg_waiters, w, &o->crowd.members, crowd)
		il_poller_add(&w->waits.poller);
}

/* What is in the queue and no operation here wants. */
struct unwanted {
	long type; /* 0: nothing */
	bool several; /* types, or more than was looked at */
};

/* Serves the operations that want what is in the queue. 0 or errno. */
static int serve(struct il_msg_object *o, struct unwanted *u)
{
	int err;
	*u = (struct unwanted){ .type = 0 };
	for (long place = 0; !u->several && !(err = il_msg_copy_at(o, place));) {
		long type = il_sysv_state()->buffer->type;
		if (il_msg_retry(o, type, NULL)) { /* it has gone, and the next one is at its place */
			il_recheck_stop(&o->crowd.later);
			continue;
		}
		u->several = (u->type && u->type != type) || place == MOST_PLACES;
		u->type = type;
		place++;
	}
	return u->several || err == EAGAIN ? 0 : err;
}

/* Where messages cannot be copied, or are too many to be: the receivers of each type look for their own. It may end a
 * select, and that takes any others out of the list: so the round has a list of its own. */
static void serve_each(struct il_msg_object *o)
{
	struct il_list round;
	il_list_move(&o->crowd.members, &round);
	il_list_drain(struct il_msg_waiters, w, &round, crowd) {
		il_list_add(&o->crowd.members, &w->crowd);
		if (il_blocking_queue_retry(&w->waits))
			il_recheck_stop(&o->crowd.later);
	}
}

static void ended(struct il_work *item);

static int start(struct il_msg_object *o, long but)
{
	struct il_msg_crowd *c = &o->crowd;
	if (!c->message)
		c->message = il_msg_new(0);
	if (!c->message)
		return ENOMEM;
	c->but = but;
	c->taken = false;
	int err = il_thread_pool_start(&c->item, work, ended);
	c->working = !err;
	return err;
}

/* No thread works. */
static void go_on(struct il_msg_object *o)
{
	struct unwanted u;
	int err = serve(o, &u);
	if (err == ENOSYS || u.several)
		serve_each(o);
	else if (err)
		disperse(o);
	if (il_list_empty(&o->crowd.members))
		return;
	if (err || u.several)
		err = il_recheck_start(&o->crowd.later);
	else
		err = start(o, u.type);
	if (err)
		disperse(o);
}

static void ended(struct il_work *item)
{
	struct il_msg_crowd *c = il_container_of(item, struct il_msg_crowd, item);
	struct il_msg_object *o = object_of(c);
	struct il_msg *empty = c->taken && !item->forked ? c->message : NULL;
	c->working = c->taken = false;
	if (empty) {
		c->message = NULL;
		deliver(o, empty);
	}
	if (item->forked || il_work_cancelled(item))
		return;
	if (c->result)
		disperse(o);
	else
		go_on(o);
}

static void check(struct il_recheck *later)
{
	go_on(object_of(il_container_of(later, struct il_msg_crowd, later)));
}

static void stop(struct il_msg_crowd *c)
{
	if (c->working)
		il_thread_pool_cancel(&c->item);
	il_recheck_stop(&c->later);
}

int il_msg_crowd_join(struct il_msg_waiters *w)
{
	struct il_msg_object *o = w->object;
	struct il_msg_crowd *c = &o->crowd;
	if (il_list_empty(&w->crowd))
		il_list_add(&c->members, &w->crowd);
	if (c->working && c->but && il_msg_asks_for(w->type, c->but))
		stop(c);
	int err = c->working || c->later.timer.item.place ? 0 : start(o, 0);
	if (err)
		il_list_del(&w->crowd);
	return err;
}

void il_msg_crowd_leave(struct il_msg_waiters *w)
{
	if (il_list_empty(&w->crowd))
		return;
	il_list_del(&w->crowd);
	if (il_list_empty(&w->object->crowd.members))
		stop(&w->object->crowd);
}

void il_msg_crowd_init(struct il_msg_object *o)
{
	il_list_init(&o->crowd.members);
	il_recheck_init(&o->crowd.later, check);
}

void il_msg_crowd_fini(struct il_msg_object *o)
{
	stop(&o->crowd);
	free(o->crowd.message);
}
