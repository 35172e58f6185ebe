/* SPDX-License-Identifier: MIT
 *
 * Lua values as bytes: the codec "lua". One byte of version, then one value; a value is a byte that says what it is,
 * and what belongs to it, little-endian. It carries nil, booleans, integers, floats bit by bit, strings, ipc.null and
 * tables of these, with any of them as keys but nil and NaN. Metatables stay behind and are not asked, but for the mark
 * of an empty array. Floor 4.
 */
#ifndef IL_BINARY_H
#define IL_BINARY_H

#include <lua.h>

enum { IL_BINARY_DEPTH = 200 }; /* tables in tables, at most */

/* Pushes the bytes of the value at index `value`. Raises, with the path to what it cannot carry. */
void il_binary_encode(lua_State *L, int value, const char *what);

/* A lua_CFunction: the string at index 1 → its value. Takes bytes of any origin; raises if they are not what
 * il_binary_encode writes. What it allocates is in proportion to the bytes, whatever they claim. */
int il_binary_decode(lua_State *L);

#endif
