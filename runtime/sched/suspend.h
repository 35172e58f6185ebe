/* SPDX-License-Identifier: MIT
 *
 * How a coroutine that waits yields. It yields one value, a token, which no other code can make; what resumes
 * coroutines (sched.c, coroutine.c) passes it on towards the task.
 * Floor 3.
 */
#ifndef IL_SCHED_SUSPEND_H
#define IL_SCHED_SUSPEND_H

#include "sched/state.h"
#include "sched/task.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* A coroutine that yielded in order to wait has the address of one of these on top of its stack, for as long as it
 * waits: of the second if it is a task's own, of the first if a task or another coroutine resumed it. */
extern const char il_waiting[2];

static inline bool il_is_token(lua_State *co, int index)
{
	return (uintptr_t)lua_touserdata(co, index) - (uintptr_t)il_waiting < sizeof il_waiting;
}

/* Of one that waits: is it a task's own? */
static inline bool il_is_own(lua_State *co)
{
	return lua_touserdata(co, -1) == (const void *)&il_waiting[1];
}

static inline bool il_is_waiting(lua_State *co)
{
	return lua_gettop(co) > 0 && il_is_token(co, -1);
}

/* Yields in order to wait: for `return`. The code that resumes it pops the token; then `resumed` is called, which has
 * to ask il_is_stranger first. */
static inline int il_suspend(lua_State *L, lua_KContext context, lua_KFunction resumed)
{
	bool own = L == il_sched()->current->co;
	lua_pushlightuserdata(L, (void *)&il_waiting[own]);
	return lua_yieldk(L, 1, context, resumed);
}

/* True: we were resumed by stock coroutine.resume, which knows nothing of waiting. Then `return il_send_away(...)` with
 * the arguments that il_suspend had: the caller gets nil and a message, and we wait on. */
static inline bool il_is_stranger(const lua_State *L)
{
	return L != il_sched()->running;
}
int il_send_away(lua_State *L, lua_KContext context, lua_KFunction resumed);

/* False where a wait would raise: in a callback that cannot be suspended, or while the loop runs. */
bool il_may_wait(lua_State *L);

#endif
