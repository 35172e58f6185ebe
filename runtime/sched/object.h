/* SPDX-License-Identifier: MIT
 *
 * How userdata are told apart: by what they are, not by their metatable, which debug.setmetatable can give to anything.
 * Floor 3.
 */
#ifndef IL_SCHED_OBJECT_H
#define IL_SCHED_OBJECT_H

#include <lauxlib.h>
#include <lua.h>

/* What each begins with. Only C writes there. */
struct il_object {
	const char *class; /* by its address: one constant for each class */
};

/* The object at arg; NULL: it is something else. As luaL_testudata, but faster. */
static inline void *il_test_object(lua_State *L, int arg, const char *class)
{
	struct il_object *o = lua_touserdata(L, arg);
	return o && lua_rawlen(L, arg) >= sizeof *o && o->class == class ? o : NULL;
}

/* The object at 1. Raises. */
static inline void *il_self(lua_State *L, const char *class)
{
	void *o = il_test_object(L, 1, class);
	if (!o)
		luaL_typeerror(L, 1, class);
	return o;
}

#endif
