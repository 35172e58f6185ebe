/* SPDX-License-Identifier: MIT
 *
 * Events: something due that needs Lua, a listener or a timer's function. They run in the hook of preempt.h, in the
 * loop's turns and in ipc.dispatch(), each as a task of its own.
 * Floor 3.
 */
#ifndef IL_SCHED_EVENT_H
#define IL_SCHED_EVENT_H

#include "base/list.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_event {
	struct il_list node; /* among those of which a call is due */
	uint32_t due, round; /* calls that are due; those of them that were so when this round of il_events_run began */
	bool active; /* its last call runs and has not waited: the next one has to */
	/* Starts one call (il_sched_run); raises before anything happened, or not at all. */
	void (*run)(lua_State *L, struct il_event *e);
};

void il_event_init(struct il_event *e, void (*run)(lua_State *, struct il_event *));

/* One more call is due; none is. Cannot fail. */
void il_event_post(struct il_event *e);
void il_event_withdraw(struct il_event *e);

/* For il_sched_run: a call begins, and has ended or waits. */
void il_event_begin(struct il_event *e);
void il_event_leave(struct il_event *e);

/* Runs what is due now; what becomes due meanwhile is for the next round, so that the caller goes on. Raises out of
 * memory, and "interrupted". */
void il_events_run(lua_State *L);
bool il_events_due(void);

/* The program ends: nothing is due any more. */
void il_events_stop(void);

/* Forgets them all: in a forked child, and when the state closes. */
void il_events_drop(void);

#endif
