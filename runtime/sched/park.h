/* SPDX-License-Identifier: MIT
 *
 * What is written to the board of the process (os/board.h) when something waits: which call of which object, in which
 * line, and what the task holds.
 * Floor 3.
 */
#ifndef IL_SCHED_PARK_H
#define IL_SCHED_PARK_H

#include "os/board.h"
#include "sched/state.h"
#include "sched/task.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_cases;

/* An object, as others are to know it. */
struct il_described {
	const char *key; /* its key's text; "" */
	uint64_t object; /* as in a board's record */
	int64_t other; /* as there */
};

/* How an object of a class is described: the class as its objects have it (sched/object.h). */
void il_park_class(const char *class, const struct il_cases *cases);

/* The wait has begun, and is not over. On the stack of L is the call: its object at 1. `selection` is the memory of a
 * select, NULL: the wait is none. */
void il_park(lua_State *L, const struct il_wait *w, int64_t deadline, const void *selection);

/* A task, NULL: the main chunk, holds less than before, though it does not run. */
void il_park_again(struct il_task *t);

/* What the main chunk holds is in no list: each(f, arg) calls f(hold, arg) for all of it, and returns false if there is
 * too much to look at. */
void il_park_main_holds(bool (*each)(void (*f)(const struct il_hold *h, void *arg), void *arg));

#endif
