/* SPDX-License-Identifier: MIT
 *
 * The writer of the codec "json".
 * Floor 4.
 */
#ifndef IL_JSON_WRITER_H
#define IL_JSON_WRITER_H

#include <lua.h>

/* Pushes the text of the value at index `value`, which counts from the bottom; there is room for 12 more values on the
 * stack. Raises, with the path to what JSON cannot say. */
void il_json_write(lua_State *L, int value);

#endif
