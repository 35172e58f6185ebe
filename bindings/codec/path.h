/* SPDX-License-Identifier: MIT
 *
 * The path inside a value to the part that a codec cannot carry, as errors tell it: ".list[3]". It is made from its
 * end to its beginning, on the way out of the tables.
 * Floor 4.
 */
#ifndef IL_PATH_H
#define IL_PATH_H

#include <lua.h>

/* Stack: key, value, and the path below the value → the path below the table. */
void il_path_prepend(lua_State *L);

/* Raises why, with the path at the top; `what` is the whole: "message". */
int il_path_refuse(lua_State *L, const char *what, const char *why);

#endif
