/* SPDX-License-Identifier: MIT
 *
 * Payloads, see codec.h: the choice of a codec, and what all of them have in common.
 * Floor 4.
 */
#include "codec.h"
#include "base/number.h"
#include "bind.h"
#include "binary.h"
#include "json.h"
#include "json_writer.h"
#include "option.h"
#include "sched/interrupt.h"

#include <string.h>

#define CHOICES "codec must be \"json\", \"lua\", \"raw\" or a table with encode and decode"

static const struct {
	const char *name;
	enum il_codec codec;
} names[] = { { "json", IL_CODEC_JSON }, { "lua", IL_CODEC_LUA }, { "raw", IL_CODEC_RAW } };

/* The table at the top. */
static void check_table(lua_State *L, int arg)
{
	int encode = lua_getfield(L, -1, "encode"), decode = lua_getfield(L, -2, "decode");
	if (encode != LUA_TFUNCTION || decode != LUA_TFUNCTION)
		luaL_argerror(L, arg,
			lua_pushfstring(L, "codec needs a function %s, got %s",
				encode == LUA_TFUNCTION ? "decode" : "encode",
				lua_typename(L, encode == LUA_TFUNCTION ? decode : encode)));
	lua_pop(L, 2);
}

enum il_codec il_codec_option(lua_State *L, int arg)
{
	enum il_codec codec = IL_CODEC_TABLE;
	int type = il_option(L, arg, "codec");
	if (type == LUA_TTABLE) {
		check_table(L, arg);
		return codec;
	}
	const char *name = type == LUA_TSTRING ? lua_tostring(L, -1) : type == LUA_TNIL ? "json" : "";
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(names[i].name, name) == 0)
			codec = names[i].codec;
	if (codec == IL_CODEC_TABLE)
		il_option_refuse(L, arg, CHOICES);
	lua_pop(L, 1);
	lua_pushnil(L);
	return codec;
}

static void encode_custom(lua_State *L, int value, int table, const char *what)
{
	lua_getfield(L, table, "encode");
	lua_pushvalue(L, value);
	lua_call(L, 1, 1);
	if (lua_type(L, -1) != LUA_TSTRING)
		il_error(L, "cannot encode %s: the codec's encode returned a %s, not a string", what,
			luaL_typename(L, -1));
}

int il_codec_prepare(lua_State *L, enum il_codec codec)
{
	return codec == IL_CODEC_JSON ? il_json_prepare(L) : 0;
}

void il_codec_encode(lua_State *L, enum il_codec codec, int value, int table, const char *what)
{
	switch (codec) {
	case IL_CODEC_JSON: il_json_encode(L, value, what); break;
	case IL_CODEC_LUA: il_binary_encode(L, value, what); break;
	case IL_CODEC_TABLE: encode_custom(L, value, table, what); break;
	case IL_CODEC_RAW:
		if (lua_type(L, value) != LUA_TSTRING)
			il_error(L, "cannot encode %s: codec \"raw\" carries strings, got a %s", what,
				luaL_typename(L, value));
		return;
	}
	lua_replace(L, value);
}

static int decode_custom(lua_State *L)
{
	lua_getfield(L, 2, "decode");
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

static int text_of(lua_State *L)
{
	luaL_tolstring(L, 1, NULL);
	return 1;
}

/* An error can be any value, and asking it for its text can be an error again. */
static bool failed(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING)
		return false;
	lua_pushcfunction(L, text_of);
	lua_insert(L, -2);
	if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
		lua_pop(L, 1);
		lua_pushliteral(L, "the codec's error has no text");
	}
	return false;
}

bool il_codec_decode(lua_State *L, enum il_codec codec, int table)
{
	if (codec == IL_CODEC_RAW)
		return true;
	table = lua_absindex(L, table);
	lua_pushcfunction(L,
		codec == IL_CODEC_JSON          ? il_json_decode
			: codec == IL_CODEC_LUA ? il_binary_decode
						: decode_custom);
	lua_insert(L, -2);
	if (codec == IL_CODEC_TABLE)
		lua_pushvalue(L, table);
	int before = il_interrupts_raised();
	locale_t was = codec == IL_CODEC_JSON ? il_number_enter() : (locale_t)0;
	int status = lua_pcall(L, codec == IL_CODEC_TABLE ? 2 : 1, 1, 0);
	if (codec == IL_CODEC_JSON)
		il_number_leave(was);
	if (status != LUA_OK && il_interrupt_is(L, before))
		lua_error(L);
	return status == LUA_OK || failed(L);
}

void il_codec_keep(lua_State *L, enum il_codec codec)
{
	if (codec == IL_CODEC_TABLE)
		lua_setiuservalue(L, -2, 1);
	else
		lua_pop(L, 1);
}

void il_codec_push(lua_State *L, enum il_codec codec, const void *object)
{
	if (codec != IL_CODEC_TABLE) {
		lua_pushnil(L);
		return;
	}
	il_push_object(L, object);
	lua_getiuservalue(L, -1, 1);
	lua_remove(L, -2);
}
