/* SPDX-License-Identifier: MIT
 *
 * Payloads: Lua values to bytes and back. "json" goes through lua-cjson, "raw" carries strings as they are, and a table
 * with encode and decode is the user's own.
 * Floor 4.
 */
#ifndef IL_CODEC_H
#define IL_CODEC_H

#include <lua.h>
#include <stdbool.h>

enum il_codec { IL_CODEC_JSON, IL_CODEC_RAW, IL_CODEC_TABLE };

/* The option codec= of the options table at arg; pushes the codec's table or nil. Raises. */
enum il_codec il_codec_option(lua_State *L, int arg);

/* Replaces the value at index `value` by its bytes, a string; the codec's table is at index `table`. Raises. */
void il_codec_encode(lua_State *L, enum il_codec codec, int value, int table);

/* Replaces the string at the top by its value: true. Or by an error message: false. */
bool il_codec_decode(lua_State *L, enum il_codec codec, int table);

#endif
