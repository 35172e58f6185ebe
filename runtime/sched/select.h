/* SPDX-License-Identifier: MIT
 *
 * ipc.select: waits for the first of several waiting calls. Each case's method is called once to learn its operation
 * (il_sched()->collector), then all are waited for together; exactly one completes.
 * Floor 3.
 */
#ifndef IL_SCHED_SELECT_H
#define IL_SCHED_SELECT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct il_described;

/* What of a class can be a case. A method is listed here if it waits once, by il_await, and does nothing before that
 * that would have to be undone if another case wins. No other method can be a case, the user's neither. */
struct il_cases {
	const char *usual; /* the method that the bare object stands for; NULL: it needs arguments */
	const luaL_Reg *methods;
	bool (*open)(const void *object); /* its operations may still be tried; NULL: they always may */
	/* What the board is to say of it (sched/park.h): fills what is not zero; may be closed. NULL: nothing */
	void (*describe)(const void *object, struct il_described *d);
};

/* The cases of a class whose metatable is at the top of the stack, which stays as it is. */
void il_select_class(lua_State *L, const struct il_cases *cases);

/* Of the memory of a select that waits: the object of a case, and its class; NULL: it has none. */
const void *il_select_case(const void *selection, uint32_t i, const struct il_cases **class);

/* The C function ipc.select(cases [, timeout]). */
int il_select(lua_State *L);

#endif
