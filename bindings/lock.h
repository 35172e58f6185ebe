/* SPDX-License-Identifier: MIT
 *
 * What semaphore, mutex and file_lock have in common: acquire, release, hold and the record of who holds. A task that
 * dies gives back what it holds, as a process does. Floor 4.
 */
#ifndef IL_LOCK_H
#define IL_LOCK_H

#include "engines/engine.h"
#include "sched/await.h"

#include <lauxlib.h>
#include <lua.h>

struct il_lock_class {
	const char *name; /* "ipc.Mutex" */
	const char *noun; /* "mutex" */
	bool owned; /* only the task that acquired may release, and ends it by ending */
	bool counts; /* one task may acquire it again */
	struct il_await_type acquire, hold;
};

/* The four functions of an il_await_type. */
bool il_lock_attempt(struct il_op *op);
int il_lock_start(struct il_op *op);
bool il_lock_cancel(struct il_op *op);
int il_lock_push_acquired(lua_State *L, struct il_op *op);
int il_lock_push_guard(lua_State *L, struct il_op *op);

#define IL_LOCK_AWAITS(noun)                                                                                       \
	.acquire = { { noun " acquire", il_lock_attempt, il_lock_start, il_lock_cancel }, il_lock_push_acquired }, \
	.hold = { { noun " hold", il_lock_attempt, il_lock_start, il_lock_cancel }, il_lock_push_guard }

/* Pushes a handle without a lock; `what` names it in messages: a key's text, a path. */
struct il_lock_handle *il_lock_push(lua_State *L, const struct il_lock_class *class, const char *what);

/* Where the lock of the handle at an index goes; once it is there, returns what the constructor must return. */
struct il_lock **il_lock_place(lua_State *L, int handle);
int il_lock_opened(lua_State *L, int handle);

/* The handle at 1. Raises if it is closed. */
struct il_lock *il_lock_check(lua_State *L, const struct il_lock_class *class);

/* Methods. */
int il_lock_acquire(lua_State *L, const struct il_lock_class *class, int64_t how);
int il_lock_try(lua_State *L, const struct il_lock_class *class);
int il_lock_hold(lua_State *L, const struct il_lock_class *class);
int il_lock_release(lua_State *L, const struct il_lock_class *class);
int il_lock_lost(lua_State *L, const struct il_lock_class *class);
int il_lock_remove(lua_State *L, const struct il_lock_class *class);
int il_lock_close(lua_State *L, const struct il_lock_class *class);
int il_lock_tostring(lua_State *L, const struct il_lock_class *class);

/* For struct il_cases. */
bool il_lock_is_open(const void *handle);

/* The grant of what the running task holds; 0 without. */
int64_t il_lock_grant(struct il_lock *l);

/* The options of a lock behind a key. */
extern const char *const il_lock_options[];

/* The option lease= of the table at arg, in ns; 0 without. Raises. */
int64_t il_lease_option(lua_State *L, int arg);

/* nil and what went wrong with the lock. */
int il_lock_fail(lua_State *L, const struct il_lock *l, int err);

/* Registers class ipc.Guard. */
void il_lock_open(lua_State *L);

#endif
