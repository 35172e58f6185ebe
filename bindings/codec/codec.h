/* SPDX-License-Identifier: MIT
 *
 * Payloads: Lua values to bytes and back. "json" is plain JSON (json.h), "lua" is a binary form of our own
 * (binary.c), "raw" carries strings as they are, and a table with encode and decode is the user's own.
 * Floor 4.
 */
#ifndef IL_CODEC_H
#define IL_CODEC_H

#include <lua.h>
#include <stdbool.h>

enum il_codec { IL_CODEC_JSON, IL_CODEC_LUA, IL_CODEC_RAW, IL_CODEC_TABLE };

/* The option codec= of the options table at arg; pushes the codec's table or nil. Raises. */
enum il_codec il_codec_option(lua_State *L, int arg);

/* Before an object is opened: 0; EMFILE and the like: what the codec needs cannot be loaded now. */
int il_codec_prepare(lua_State *L, enum il_codec codec);

/* Replaces the value at index `value` by its bytes, a string; the codec's table is at index `table`. Raises, with the
 * path inside the value to what cannot be encoded; what: "message", for that text. */
void il_codec_encode(lua_State *L, enum il_codec codec, int value, int table, const char *what);

/* Replaces the string at the top by its value: true. Or by an error message, a string: false. Raises "interrupted"
 * only. */
bool il_codec_decode(lua_State *L, enum il_codec codec, int table);

/* The codec of an object: pops what il_codec_option has pushed, which becomes the user value 1 of the object below it.
 */
void il_codec_keep(lua_State *L, enum il_codec codec);

/* Pushes it, or nil, for il_codec_encode and il_codec_decode. */
void il_codec_push(lua_State *L, enum il_codec codec, const void *object);

#endif
