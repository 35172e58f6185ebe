/* SPDX-License-Identifier: MIT
 *
 * What semaphore, mutex and file_lock have in common: their handles, acquire, release, hold, and what becomes of a lock
 * that is lost, removed or closed. Which task holds it is in hold.h.
 * Floor 4.
 */
#ifndef IL_LOCK_H
#define IL_LOCK_H

#include "engines/engine.h"
#include "hold.h"
#include "sched/await.h"
#include "sched/select.h"

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

/* Pushes a handle without a lock; `what` names it in messages: a key's text, a path. `identity` is for the board. */
struct il_lock_handle *il_lock_push(lua_State *L, const struct il_lock_class *class, const char *what,
	uint64_t identity);

/* The last step of a constructor: the engine's lock becomes that of the handle, which is on top of the stack, and whose
 * key is at 1. Returns what the constructor must return. */
int il_lock_open(lua_State *L, struct il_lock_handle *h, struct il_lock *l);

/* The lock of the handle at 1, which is of the class. Raises; if it is closed, too. */
struct il_lock *il_lock_check(lua_State *L, const struct il_lock_class *class);

/* Methods. */
int il_lock_acquire(lua_State *L, const struct il_lock_class *class);
int il_lock_try_acquire(lua_State *L, const struct il_lock_class *class);
int il_lock_hold(lua_State *L, const struct il_lock_class *class);
int il_lock_release(lua_State *L, const struct il_lock_class *class);
int il_lock_lost(lua_State *L, const struct il_lock_class *class);
int il_lock_remove(lua_State *L, const struct il_lock_class *class);
int il_lock_close(lua_State *L, const struct il_lock_class *class);
int il_lock__tostring(lua_State *L, const struct il_lock_class *class);

/* acquire, shared with others or not. */
int il_lock_acquire_as(lua_State *L, const struct il_lock_class *class, bool shared);

/* The same as lua_CFunctions noun_acquire and so on, in a file that has a `class`: a class's methods refuse the handles
 * of the others. */
#define IL_LOCK_METHOD(noun, method)                \
	static int noun##_##method(lua_State *L)    \
	{                                           \
		return il_lock_##method(L, &class); \
	}

#define IL_LOCK_METHODS(noun)             \
	IL_LOCK_METHOD(noun, try_acquire) \
	IL_LOCK_METHOD(noun, hold)        \
	IL_LOCK_METHOD(noun, release)     \
	IL_LOCK_METHOD(noun, lost)        \
	IL_LOCK_METHOD(noun, remove)      \
	IL_LOCK_METHOD(noun, close)       \
	IL_LOCK_METHOD(noun, _tostring)

/* For struct il_cases. */
bool il_lock_is_open(const void *handle);
void il_lock_describe(const void *handle, struct il_described *d);

/* An operation of the engine's for il_await_answer. */
static inline void il_lock_op(struct il_op *op, struct il_lock *l, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, l);
	op->handle = l->owner;
	op->push = push;
}

/* The options of a lock behind a key. */
extern const char *const il_lock_options[];

/* The option lease= of the table at arg, in ns; 0 without. Raises. */
int64_t il_lease_option(lua_State *L, int arg);

/* nil and what went wrong with the lock of a handle. */
int il_lock_fail(lua_State *L, const struct il_lock_handle *handle, int err);

/* nil, "mutex shm:x" and why it cannot do what is asked, ENOTSUP. */
int il_lock_cannot(lua_State *L, const struct il_lock_handle *handle, const char *why);

/* What a release returns. */
int il_lock_push_released(lua_State *L, const struct il_lock_handle *handle, int err);

#endif
