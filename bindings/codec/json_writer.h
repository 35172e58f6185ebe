/* SPDX-License-Identifier: MIT
 *
 * Lua values as JSON text, see json.h.
 * Floor 4.
 */
#ifndef IL_JSON_WRITER_H
#define IL_JSON_WRITER_H

#include <lua.h>

/* Pushes the text of the value at index `value`. Raises, with the path to what JSON cannot say. */
void il_json_encode(lua_State *L, int value, const char *what);

#endif
