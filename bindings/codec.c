/* SPDX-License-Identifier: MIT
 *
 * Payloads, see codec.h. lua-cjson alone loses numbers: some versions write 14 digits and read every number as a float.
 * So a value is looked through before it is encoded, and only one that holds a number which the installed
 * version would damage takes the slow way, in ipc/json.lua; after decoding, whole floats become integers again.
 * Floor 4.
 */
#include "codec.h"
#include "bind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 1000, DIGITS_OF_EXACT_INTEGER = 15 };

/* Numbers of up to this size are exact with 14 digits, as the oldest version writes them. */
static const lua_Integer PLAIN_INTEGER = 99999999999999;
static const double EXACT = 9007199254740992.0; /* 2^53 */

enum il_codec il_codec_option(lua_State *L, int arg)
{
	int type = il_option(L, arg, "codec");
	const char *name = type == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	if (type == LUA_TTABLE)
		return IL_CODEC_TABLE;
	if (type != LUA_TNIL && !name)
		luaL_argerror(L, arg, "codec must be \"json\", \"raw\" or a table with encode and decode");
	if (!name || strcmp(name, "json") == 0 || strcmp(name, "raw") == 0) {
		bool raw = name && strcmp(name, "raw") == 0;
		lua_pop(L, 1);
		lua_pushnil(L);
		return raw ? IL_CODEC_RAW : IL_CODEC_JSON;
	}
	luaL_argerror(L, arg, lua_pushfstring(L, "there is no codec '%s'", name));
	return IL_CODEC_RAW;
}

static bool plain_float(double d)
{
	char text[32];
	if (d == floor(d) && fabs(d) <= (double)PLAIN_INTEGER)
		return true;
	if (!isfinite(d))
		return true; /* cjson says what is wrong with it */
	snprintf(text, sizeof text, "%.14g", d);
	return strtod(text, NULL) == d;
}

/* True if cjson can be trusted with every number in the value at the top. */
static bool plain(lua_State *L, int depth)
{
	int type = lua_type(L, -1);
	if (type == LUA_TNUMBER) {
		if (!lua_isinteger(L, -1))
			return plain_float(lua_tonumber(L, -1));
		lua_Integer n = lua_tointeger(L, -1);
		return n <= PLAIN_INTEGER && n >= -PLAIN_INTEGER;
	}
	if (type != LUA_TTABLE || depth > MAX_DEPTH)
		return true;
	luaL_checkstack(L, 4, "nested too deep");
	bool all = true;
	for (lua_pushnil(L); all && lua_next(L, -2);) {
		all = plain(L, depth + 1);
		if (all && lua_type(L, -2) == LUA_TNUMBER) {
			lua_pushvalue(L, -2);
			all = plain(L, depth + 1);
			lua_pop(L, 1);
		}
		lua_pop(L, all ? 1 : 2);
	}
	return all;
}

static void encode_json(lua_State *L, int value)
{
	lua_pushvalue(L, value);
	const char *how = plain(L, 0) ? "encode" : "encode_exact";
	il_push_lua_half(L, "ipc.json", how);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	lua_replace(L, value);
}

void il_codec_encode(lua_State *L, enum il_codec codec, int value, int table)
{
	if (codec == IL_CODEC_JSON) {
		encode_json(L, value);
	} else if (codec == IL_CODEC_TABLE) {
		lua_getfield(L, table, "encode");
		lua_pushvalue(L, value);
		lua_call(L, 1, 1);
		lua_replace(L, value);
	}
	if (lua_type(L, value) != LUA_TSTRING)
		luaL_error(L, "codec \"%s\" carries strings, got %s", codec == IL_CODEC_RAW ? "raw" : "custom",
			   luaL_typename(L, value));
}

/* Whole floats become integers, in place. */
static void restore_integers(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TNUMBER) {
		double d = lua_tonumber(L, -1);
		if (!lua_isinteger(L, -1) && d == floor(d) && fabs(d) <= EXACT && !(d == 0 && signbit(d))) {
			lua_pushinteger(L, (lua_Integer)d);
			lua_replace(L, -2);
		}
		return;
	}
	if (lua_type(L, -1) != LUA_TTABLE)
		return;
	luaL_checkstack(L, 4, "nested too deep");
	for (lua_pushnil(L); lua_next(L, -2);) {
		int type = lua_type(L, -1);
		if (type == LUA_TTABLE || (type == LUA_TNUMBER && !lua_isinteger(L, -1))) {
			restore_integers(L);
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, -4);
		} else {
			lua_pop(L, 1);
		}
	}
}

/* A run of digits longer than what a double holds exactly. */
static bool has_long_number(const char *text, size_t size)
{
	for (size_t i = 0, run = 0; i < size; i++) {
		run = text[i] >= '0' && text[i] <= '9' ? run + 1 : 0;
		if (run > DIGITS_OF_EXACT_INTEGER)
			return true;
	}
	return false;
}

static int decode_json(lua_State *L)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	lua_settop(L, 1);
	il_push_lua_half(L, "ipc.json", has_long_number(text, size) ? "decode_exact" : "decode");
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	restore_integers(L);
	return 1;
}

static int decode_custom(lua_State *L)
{
	lua_getfield(L, 2, "decode");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

bool il_codec_decode(lua_State *L, enum il_codec codec, int table)
{
	if (codec == IL_CODEC_RAW)
		return true;
	table = lua_absindex(L, table);
	lua_pushcfunction(L, codec == IL_CODEC_JSON ? decode_json : decode_custom);
	lua_insert(L, -2);
	lua_pushvalue(L, table);
	return lua_pcall(L, 2, 1, 0) == LUA_OK;
}
