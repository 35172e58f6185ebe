/* SPDX-License-Identifier: MIT
 *
 * The arrivals of a signal, see signal_queue.h. Each is queued for the listeners, and for the waiters once there has
 * been one. The signal is watched, and the object kept, for as long as there is a reason to.
 * Floor 4.
 */
#include "signal_queue.h"
#include "base/fork.h"
#include "bind.h"
#include "script.h"
#include "signal_info.h"
#include "loop/op.h"
#include "sched/event.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "quit.h"

#include <errno.h>
#include <stdlib.h>

static void clear(struct il_list *queue)
{
	il_list_drain(struct il_signal_arrival, a, queue, node)
		free(a);
}

static bool keep(struct il_list *queue, const struct il_siginfo *info)
{
	struct il_signal_arrival *a = malloc(sizeof *a);
	if (!a) {
		il_signals_lost++;
		return false;
	}
	a->info = *info;
	il_list_add(queue, &a->node);
	return true;
}

/* The first waiter gets the first arrival. */
static void serve(struct il_signal_queue *s)
{
	struct il_op *op = il_list_first(struct il_op, &s->waiters, link);
	if (!op || il_list_empty(&s->waits))
		return;
	op->data = il_signal_queue_take(s);
	op->owned = true;
	il_list_del(&op->link);
	il_op_finish(op, 0);
}

static void arrived(struct il_sigwatch *w, const struct il_siginfo *info)
{
	struct il_signal_queue *s = il_container_of(w, struct il_signal_queue, watch);
	if (s->listens) {
		if (keep(&s->calls, info))
			il_event_post(&s->event);
	}
	if (s->collects) {
		keep(&s->waits, info);
		serve(s);
	}
}

/* One delivery: the script calls the listeners one after the other. */
static void run(lua_State *L, struct il_event *e)
{
	struct il_signal_queue *s = il_container_of(e, struct il_signal_queue, event);
	luaL_checkstack(L, 10, NULL);
	il_push_ref(L, s->ref); /* it may be closed meanwhile, and forgotten */
	il_push_script(L, "ipc.signal", "deliver");
	lua_getiuservalue(L, -2, 1);
	struct il_signal_arrival *a = il_list_first(struct il_signal_arrival, &s->calls, node);
	il_push_siginfo(L, &a->info);
	struct il_task *task = il_task_prepare(L, 2, NULL, NULL, false);
	il_list_del(&a->node);
	free(a);
	il_sched_run(L, task, e);
	lua_pop(L, 1);
}

/* Watches if there is a reason to, and not otherwise. 0 or errno. */
static int update(lua_State *L, struct il_signal_queue *s)
{
	bool wanted = s->listens || s->collects, watched = !il_list_empty(&s->watch.node);
	if (wanted)
		il_quit_leave(s->number);
	int err = wanted && !watched ? il_signal_watch(&s->watch, s->number) : 0;
	if (!wanted)
		il_signal_unwatch(&s->watch);
	if (err)
		return err;
	if (s->listens && s->ref == LUA_NOREF)
		s->ref = il_ref(L, 1);
	if (!s->listens) {
		il_event_withdraw(&s->event);
		clear(&s->calls);
		il_unref(L, &s->ref);
	}
	return 0;
}

static void begin(struct il_signal_queue *s)
{
	s->forks = il_fork.beginnings;
	il_list_init(&s->watch.node);
	il_list_init(&s->waiters);
	il_event_init(&s->event, run);
}

struct il_signal_queue *il_signal_queue_check(lua_State *L, const char *class)
{
	struct il_signal_queue *s = il_self(L, class);
	if (s->forks == il_fork.beginnings)
		return s;
	begin(s); /* what it was part of is not there any more */
	clear(&s->calls);
	clear(&s->waits);
	s->listens = s->collects = s->disposed = false;
	il_unref(L, &s->ref);
	lua_newtable(L);
	lua_setiuservalue(L, 1, 1);
	return s;
}

int il_signal_queue_new(lua_State *L, const char *class, int number)
{
	struct il_signal_queue *s = lua_newuserdatauv(L, sizeof *s, 1);
	*s = (struct il_signal_queue){ .object.class = class,
		.number = number,
		.ref = LUA_NOREF,
		.watch.arrived = arrived };
	il_list_init(&s->calls);
	il_list_init(&s->waits);
	begin(s);
	luaL_setmetatable(L, class);
	lua_newtable(L);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

int il_signal_queue_listen(lua_State *L, struct il_signal_queue *s)
{
	s->listens = lua_rawlen(L, -1) > 0;
	lua_setiuservalue(L, 1, 1);
	return update(L, s);
}

int il_signal_queue_collect(lua_State *L, struct il_signal_queue *s)
{
	s->collects = true;
	return update(L, s);
}

struct il_signal_arrival *il_signal_queue_take(struct il_signal_queue *s)
{
	struct il_signal_arrival *a = il_list_first(struct il_signal_arrival, &s->waits, node);
	if (a)
		il_list_del(&a->node);
	return a;
}

void il_signal_queue_stop(lua_State *L, struct il_signal_queue *s)
{
	s->listens = s->collects = false;
	clear(&s->waits);
	update(L, s);
}

int il_signal_queue_result(lua_State *L, const struct il_signal_queue *s, int err)
{
	if (err)
		return il_fail(L, err, "SIG%s", il_signal_name(s->number));
	lua_pushboolean(L, 1);
	return 1;
}

int il_signal_queue_close(lua_State *L, struct il_signal_queue *s)
{
	s->closed = true;
	il_signal_queue_stop(L, s);
	il_op_finish_all(&s->waiters, ECANCELED);
	if (s->disposed)
		il_signal_dispose(s->number, SIG_ERR);
	s->disposed = false;
	return 0;
}

int il_signal_queue_tostring(lua_State *L, const char *class)
{
	struct il_signal_queue *s = il_signal_queue_check(L, class);
	lua_pushfstring(L, "%s (SIG%s%s)", class, il_signal_name(s->number),
		s->closed            ? ", closed"
			: s->listens ? ", handled"
				     : "");
	return 1;
}
