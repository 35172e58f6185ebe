/* SPDX-License-Identifier: MIT
 *
 * The arrivals of a signal, and what gets them: what ipc.Signal and ipc.SignalHandler are. A handler has many
 * listeners, a signal has one, and can be waited for. The listeners are a list, the user value. Floor 4.
 */
#ifndef IL_SIGNAL_QUEUE_H
#define IL_SIGNAL_QUEUE_H

#include "os/signal.h"
#include "sched/event.h"
#include "sched/object.h"

#include <lua.h>
#include <stdbool.h>

struct il_signal_arrival {
	struct il_list node;
	struct il_siginfo info;
};

struct il_signal_queue {
	struct il_object object;
	struct il_sigwatch watch;
	struct il_event event;
	struct il_list calls; /* arrivals for the listeners */
	struct il_list waits; /* arrivals for wait */
	struct il_list waiters; /* operations */
	uint32_t forks; /* il_fork.beginnings of the process whose it is */
	int number, ref;
	bool listens, collects, disposed, closed;
};

/* Pushes a new object of the class, which is known by the address of its name, for a signal: 1. Raises. */
int il_signal_queue_new(lua_State *L, const char *class, int number);

/* The object at 1, which is of the class. A forked child's begins anew: it listens to nothing. */
struct il_signal_queue *il_signal_queue_check(lua_State *L, const char *class);

/* Has the list at the top of the stack, which it pops, as listeners of the object at 1. 0 or errno. */
int il_signal_queue_listen(lua_State *L, struct il_signal_queue *s);

/* Keeps arrivals for the waits, from now on. 0 or errno. */
int il_signal_queue_collect(lua_State *L, struct il_signal_queue *s);

/* The first that was kept, for the caller to free; NULL without. */
struct il_signal_arrival *il_signal_queue_take(struct il_signal_queue *s);

/* There are no listeners any more, and nothing is kept. */
void il_signal_queue_stop(lua_State *L, struct il_signal_queue *s);

/* What a method returns: true, or nil and why. */
int il_signal_queue_result(lua_State *L, const struct il_signal_queue *s, int err);

/* For all ways to end; no results, 0. The waits end with ECANCELED. */
int il_signal_queue_close(lua_State *L, struct il_signal_queue *s);

/* For __tostring of the class. */
int il_signal_queue_tostring(lua_State *L, const char *class);

#endif
