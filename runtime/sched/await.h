/* SPDX-License-Identifier: MIT
 *
 * The one way in which Lua code waits. A class describes its waiting calls as il_await_type and returns il_await(...)
 * from the C function; timeouts, cancellation, select and the difference between a task and the main chunk are
 * dealt with here, once.
 * Floor 3.
 */
#ifndef IL_SCHED_AWAIT_H
#define IL_SCHED_AWAIT_H

#include "base/clock.h"
#include "loop/op.h"
#include "sched/state.h"
#include "sched/turn.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_task;

/* Set while select asks for the operations of its cases instead of having them waited for. */
struct il_collector {
	lua_State *L;
	lua_CFunction by; /* the function that calls the methods of the cases, and nothing else */
	struct il_op *op;
	bool taken;
};

/* True in a method that select has called, not in what user code calls meanwhile: in a codec, a finaliser, a hook. */
bool il_is_called_by_collector(lua_State *L);

static inline bool il_is_collected(lua_State *L)
{
	return il_sched()->collector && il_is_called_by_collector(L);
}

/* What is true of the call is known by the place that its operation was given. */
static inline bool il_is_collectors(const struct il_op *op)
{
	return il_sched()->collector && il_sched()->collector->op == op;
}

struct il_await_type {
	struct il_op_type op;
	int (*push)(lua_State *L, struct il_op *op); /* the operation is done: pushes the call's results */
};

/* Prepares the registry. Raises. */
void il_await_open(lua_State *L);

/* A timeout argument as a deadline: IL_NEVER without, 0 to try once. Raises on nonsense, and in a case of select. */
int64_t il_deadline(lua_State *L, int arg);

static inline int64_t il_check_deadline(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? IL_NEVER : il_deadline(L, arg);
}

/* The parts of the functions below: where the operation is to be, and what follows if it could not be done at once. */
struct il_op *il_await_place(lua_State *L);
int il_await_slow(lua_State *L, struct il_op *op, int64_t deadline);

/* The first attempt. True: it is done, or as much of it as there will be. */
static inline bool il_await_first(const struct il_op_type *type, struct il_op *op, int64_t deadline)
{
	op->once = deadline == 0;
	return !il_is_collectors(op) && (type->attempt(op) || (op->once && op->begun));
}

/* An operation that an engine offers is waited for in two steps. The first prepares it; what it asks, and `handle`, are
 * to be filled in then; the second waits, and returns what the C function must return. Between them nothing may raise.
 * What name and data point to must be kept alive by the function's arguments. Raises on cancellation. */
static inline __attribute__((always_inline)) struct il_op *il_await_begin(lua_State *L, const struct il_op_type *type,
	void *source, int (*push)(lua_State *L, struct il_op *op))
{
	struct il_op *op = il_await_place(L);
	il_op_init(op, type, source, 0);
	op->push = push;
	return op;
}

static inline __attribute__((always_inline)) int il_await_end(lua_State *L, struct il_op *op, int64_t deadline)
{
	if (!il_await_first(op->type, op, deadline))
		return il_await_slow(L, op, deadline);
	bool more = il_serve(op->size);
	int results = op->push(L, op);
	return more ? results : il_served(L, results);
}

/* For a call that waits only where its object is on another machine, or in another process's way: `op` is the caller's,
 * from il_op_make, with handle and push. If the first attempt does it, then this is no wait: no turn for others, and no
 * cancellation. Where nothing can wait, an attempt with op->last may still do it; else that raises. */
int il_await_answer_slow(lua_State *L, struct il_op *op);

static inline int il_await_answer(lua_State *L, struct il_op *op)
{
	if (!il_sched()->collector && op->type->attempt(op))
		return op->push(L, op);
	return il_await_answer_slow(L, op);
}

/* The same for a call that may wait on this machine: others have a turn now and then. */
static inline int il_await_answer_served(lua_State *L, struct il_op *op)
{
	if (il_sched()->collector || !op->type->attempt(op))
		return il_await_answer_slow(L, op);
	bool more = il_serve(op->size);
	int results = op->push(L, op);
	return more ? results : il_served(L, results);
}

/* Waits for the operation: returns what the C function must return. `timeout` is the stack index of the timeout in
 * seconds. `data` must be kept alive by the function's arguments. Raises on cancellation. Inline, since the type is a
 * constant where it is called: most calls are over with the first attempt, and then that and push are called directly.
 */
static inline __attribute__((always_inline)) int il_await_data(lua_State *L, const struct il_await_type *type,
	void *source, int64_t arg, void *data, size_t size, int timeout)
{
	int64_t deadline = il_check_deadline(L, timeout);
	struct il_op *op = il_await_place(L);
	il_op_init(op, &type->op, source, arg);
	op->push = type->push;
	op->data = data;
	op->size = size;
	if (!il_await_first(&type->op, op, deadline))
		return il_await_slow(L, op, deadline);
	bool more = il_serve(op->size);
	int results = type->push(L, op);
	return more ? results : il_served(L, results);
}

static inline __attribute__((always_inline)) int il_await(lua_State *L, const struct il_await_type *type, void *source,
	int64_t arg, int timeout)
{
	return il_await_data(L, type, source, arg, NULL, 0, timeout);
}

/* With a descriptor that goes along; both are copied. */
int il_await_handle(lua_State *L, const struct il_await_type *type, void *source, int fd, const void *data, size_t size,
	int timeout);

/* The same as il_await, but no cancellation disturbs it: for what is sure to end, and must have ended before its caller
 * goes on. */
int il_await_uncancellable(lua_State *L, const struct il_await_type *type, void *source, int64_t arg, int64_t deadline);

/* Waits for one of several operations; push gets the one that is done. `ops` stay where they are until then, in the
 * userdata at stack index `memory`. No other Lua code runs before all of them are in their queues: it could close what
 * they wait for. */
int il_await_many(lua_State *L, struct il_op *ops, uint32_t count, int memory, int64_t deadline,
	int (*push)(lua_State *L, struct il_op *op));

/* ipc.sleep(): waits for nothing until the deadline, returns nothing. */
int il_await_deadline(lua_State *L, int64_t deadline);

/* ipc.yield(): to the end of the run queue. */
int il_await_turn(lua_State *L);

#endif
