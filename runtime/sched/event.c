/* SPDX-License-Identifier: MIT
 *
 * Events, see event.h. Floor 3.
 */
#include "sched/event.h"
#include "sched/preempt.h"
#include "sched/state.h"

#include <lauxlib.h>

/* Callbacks interrupt other code, but not each other: what comes while one runs is next. */
enum { MAX_DEPTH = 1 };

void il_event_init(struct il_event *e, void (*run)(lua_State *, struct il_event *))
{
	il_list_init(&e->node);
	e->due = e->round = 0;
	e->active = false;
	e->run = run;
}

void il_event_post(struct il_event *e)
{
	e->due++;
	if (il_list_empty(&e->node))
		il_list_add(&il_sched()->events, &e->node);
}

void il_event_withdraw(struct il_event *e)
{
	e->due = e->round = 0;
	il_list_del(&e->node);
}

void il_event_begin(struct il_event *e)
{
	e->due -= e->due > 0; /* 0: it was withdrawn, as the last one */
	e->round -= e->round > 0;
	e->active = true;
	il_list_del(&e->node);
}

void il_event_leave(struct il_event *e)
{
	e->active = false;
	if (e->due && il_list_empty(&e->node))
		il_list_add(&il_sched()->events, &e->node);
}

bool il_events_due(void)
{
	return !il_sched()->stopped && !il_list_empty(&il_sched()->events);
}

void il_events_stop(void)
{
	il_sched()->stopped = true;
}

static void begin_round(void)
{
	il_list_each(struct il_event, e, &il_sched()->events, node)
		e->round = e->due;
}

static struct il_event *next_event(void)
{
	il_list_each(struct il_event, e, &il_sched()->events, node)
		if (e->round && !e->active)
			return e;
	return NULL;
}

/* An interrupt is first of all for the one below. */
static int run_events(lua_State *L)
{
	struct il_event *e;
	begin_round();
	while (!il_sched()->interrupt && (e = next_event()))
		e->run(L, e);
	return 0;
}

void il_events_run(lua_State *L)
{
	if (!il_events_due() || il_sched()->depth >= MAX_DEPTH)
		return;
	il_sched()->depth++;
	lua_pushcfunction(L, run_events);
	int status = lua_pcall(L, 0, 0, 0);
	il_sched()->depth--;
	if (il_events_due())
		il_preempt_at(0); /* the rest, if there is no wait before */
	if (status != LUA_OK)
		lua_error(L);
}

void il_events_drop(void)
{
	il_list_init(&il_sched()->events);
	il_sched()->depth = 0;
	il_sched()->stopped = false;
}
