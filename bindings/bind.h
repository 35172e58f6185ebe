/* SPDX-License-Identifier: MIT
 *
 * What every class needs: one way to register, one way to fail, one way to check an argument.
 * Floor 4.
 */
#ifndef IL_BIND_H
#define IL_BIND_H

#include "sched/select.h"

#include "sched/error.h"
#include "sched/object.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers a class. `meta` may hold __gc and __close and so on; `cases` says what ipc.select may wait for, NULL:
 * nothing. Leaves the stack as it was. */
void il_class(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta,
	const struct il_cases *cases);

/* nil, "what: reason", errno. */
int il_fail(lua_State *L, int err, const char *format, ...);

/* After a call of the system has failed: true if that may be for want of what garbage still has, descriptors, memory,
 * or the place of processes that have ended. Then all garbage has been collected, once, and the call is to be made
 * again. What was read from handles of the user's may be out of date: finalizers have run. */
bool il_collect(lua_State *L, int err, bool *collected);

/* nil, word: an outcome that the caller must expect. */
int il_word(lua_State *L, const char *word);

/* A step of an iterator of messages, made of what its receive left, the last n values: none if there will be no more
 * ("closed", "removed"), else what there is. Raises what went wrong. */
int il_next_message(lua_State *L, int n);

/* Pushes a float as Lua would write it where the decimal point is a point. */
void il_push_number(lua_State *L, lua_Number n);

/* luaL_argerror; but if a script of ours has called, it names the method that the user has called, which has the same
 * argument there. For what such a script may call. */
int il_bad_argument(lua_State *L, int arg, const char *text);

/* Raises if there is an argument behind this one, be it nil: it would be overlooked. `why` is what the call does. */
void il_check_last(lua_State *L, int arg, const char *why);

/* Raises: the argument is not what is wanted. A nil that nil, message, errno began, as a call returns that failed, is
 * told with that reason: "no noun: message". */
int il_missing(lua_State *L, int arg, const char *noun, const char *wanted);

/* What an argument is, for the end of a message: a number in digits, anything else by its type. May push it. */
const char *il_got(lua_State *L, int arg);

/* An integer argument within limits; LUA_MAXINTEGER is none. Raises. */
lua_Integer il_check_range(lua_State *L, int arg, lua_Integer low, lua_Integer high, const char *what);

/* A string argument without a zero byte; `what` names it: "path". Raises. */
const char *il_check_text(lua_State *L, int arg, const char *what);

struct il_counter {
	const char *name;
	lua_Integer value;
};

/* Pushes a table of them. */
void il_push_counters(lua_State *L, const struct il_counter *counters, size_t count);

/* A signal by name or number at arg. Raises. */
int il_check_signal(lua_State *L, int arg);

/* For a class with fields beside its methods: __index becomes the function, with the table of methods as its upvalue.
 */
void il_fields(lua_State *L, const char *name, lua_CFunction index);

/* The userdata at the top, by its address: il_push_object pushes it, from then on and as long as it is there. */
void il_register_object(lua_State *L);
void il_push_object(lua_State *L, const void *userdata);

/* References in the registry: they keep a userdata alive while the loop knows it. */
int il_ref(lua_State *L, int index);
void il_unref(lua_State *L, int *ref);
bool il_push_ref(lua_State *L, int ref);

#endif
