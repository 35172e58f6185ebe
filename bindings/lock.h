/* SPDX-License-Identifier: MIT
 *
 * What semaphore, mutex and file_lock have in common: acquire, release, hold and the record of the holders. A task that
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
	struct il_op_type release; /* IL_LOCK_RELEASE */
	/* What its constructor returns for an error; found: the permits it has, with EEXIST. */
	int (*cannot_open)(lua_State *L, int err, const struct il_key *key, int found);
};

/* The engine's, of what the task that waits has. */
bool il_lock_release_attempt(struct il_op *op);
int il_lock_release_start(struct il_op *op);
bool il_lock_release_cancel(struct il_op *op);

#define IL_LOCK_RELEASE(noun) \
	.release = { noun " release", il_lock_release_attempt, il_lock_release_start, il_lock_release_cancel }

/* Pushes a handle without a lock; `what` names it in messages: a key's text, a path. */
struct il_lock_handle *il_lock_push(lua_State *L, const struct il_lock_class *class, const char *what);

/* The last step of a constructor: the engine's lock becomes that of the handle, which is on top of the stack, and whose
 * key is at 1. Returns what the constructor must return. */
int il_lock_open_handle(lua_State *L, struct il_lock_handle *h, struct il_lock *l);

/* An operation of the engine's for il_await_answer. */
void il_lock_op(struct il_op *op, struct il_lock *l, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op));

/* The handle at 1. Raises if it is closed. */
struct il_lock *il_lock_check(lua_State *L, const struct il_lock_class *class);

/* Methods. */
int il_lock_acquire(lua_State *L, const struct il_lock_class *class, bool shared);
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

/* nil and what went wrong with the lock of a handle. */
int il_lock_fail(lua_State *L, const struct il_lock_handle *handle, int err);

/* Registers class ipc.Guard. */
void il_lock_open(lua_State *L);

#endif
