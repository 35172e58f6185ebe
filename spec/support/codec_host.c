/* SPDX-License-Identifier: MIT
 *
 * Runs a Lua script that can call the codecs by themselves: encode(codec, value) and decode(codec, bytes), codec being
 * "json" or "lua". For what no channel would send, and to measure. Linked with the objects of a build:
 *   cc -std=c11 -D_GNU_SOURCE -Ibindings -Iruntime -I/usr/include/lua5.4 spec/support/codec_host.c OBJECTS
 *     -l:liblua5.4.a -lm -ldl -lpthread
 * where the objects are those of bindings, of the folders of runtime, and of runtime/lua_heap.c.
 */
#include "codec/codec.h"
#include "module.h"
#include "lua_heap.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static enum il_codec codec_of(lua_State *L)
{
	return *luaL_checkstring(L, 1) == 'j' ? IL_CODEC_JSON : IL_CODEC_LUA;
}

static int encode(lua_State *L)
{
	enum il_codec codec = codec_of(L);
	lua_settop(L, 2);
	il_codec_encode(L, codec, 2, 1, "message");
	return 1;
}

static int decode(lua_State *L)
{
	enum il_codec codec = codec_of(L);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	if (il_codec_decode(L, codec, 1))
		return 1;
	lua_pushnil(L);
	lua_insert(L, -2);
	return 2;
}

/* What no codec can save, for the benchmark: visit(value, size) goes through a value, writes nothing, and makes a
 * string of `size` bytes; make() makes anew what learn(value) has looked at, from C, with every size known and nothing
 * to parse. */
static struct step {
	int type;
	lua_Integer integer, values, pairs;
	lua_Number number;
	size_t size;
	char text[64];
} steps[4096];

static int visit_value(lua_State *L, int at)
{
	int seen = 0;
	size_t size;
	switch (lua_type(L, -1)) {
	case LUA_TSTRING: lua_tolstring(L, -1, &size); break;
	case LUA_TNUMBER: lua_isinteger(L, -1) ? (void)lua_tointeger(L, -1) : (void)lua_tonumber(L, -1); break;
	case LUA_TTABLE:
		luaL_checkstack(L, 4, NULL);
		for (lua_pushnil(L); lua_next(L, at); lua_settop(L, at + 1)) {
			seen += visit_value(L, at + 2);
			if (lua_type(L, at + 1) == LUA_TSTRING)
				lua_tolstring(L, at + 1, &size);
		}
		break;
	default: break;
	}
	return seen + 1;
}

static int visit(lua_State *L)
{
	static char bytes[1 << 16];
	size_t size = (size_t)luaL_checkinteger(L, 2) % sizeof bytes;
	lua_settop(L, 1);
	visit_value(L, 1);
	lua_pushlstring(L, bytes, size);
	return 1;
}

static struct step *learn_value(lua_State *L, struct step *s)
{
	struct step *table = s++;
	int top = lua_gettop(L);
	*table = (struct step){ .type = lua_type(L, -1),
		.integer = lua_tointeger(L, -1),
		.number = lua_tonumber(L, -1) };
	if (table->type == LUA_TNUMBER && lua_isinteger(L, -1))
		table->type = -LUA_TNUMBER;
	if (table->type == LUA_TSTRING) {
		const char *text = lua_tolstring(L, -1, &table->size);
		memcpy(table->text, text, table->size);
	}
	if (table->type == LUA_TBOOLEAN)
		table->integer = lua_toboolean(L, -1);
	if (table->type != LUA_TTABLE)
		return s;
	luaL_checkstack(L, 4, NULL);
	for (lua_pushnil(L); lua_next(L, top); lua_settop(L, top + 1)) {
		bool bare = lua_isinteger(L, -2) && lua_tointeger(L, -2) == table->values + 1;
		if (bare) {
			table->values++;
		} else {
			table->pairs++;
			lua_pushvalue(L, -2);
			s = learn_value(L, s);
			lua_pop(L, 1);
		}
		s = learn_value(L, s);
	}
	return s;
}

static int learn(lua_State *L)
{
	lua_settop(L, 1);
	learn_value(L, steps);
	return 0;
}

static const struct step *make_value(lua_State *L, const struct step *s)
{
	const struct step *table = s++;
	switch (table->type) {
	case LUA_TSTRING: lua_pushlstring(L, table->text, table->size); break;
	case LUA_TNUMBER: lua_pushnumber(L, table->number); break;
	case -LUA_TNUMBER: lua_pushinteger(L, table->integer); break;
	case LUA_TBOOLEAN: lua_pushboolean(L, (int)table->integer); break;
	default:
		luaL_checkstack(L, 4, NULL);
		lua_createtable(L, (int)table->values, (int)table->pairs);
		for (lua_Integer i = 1; i <= table->values; i++) {
			s = make_value(L, s);
			lua_rawseti(L, -2, i);
		}
		for (lua_Integer i = 0; i < table->pairs; i++) {
			s = make_value(L, s);
			s = make_value(L, s);
			lua_rawset(L, -3);
		}
	}
	return s;
}

static int make(lua_State *L)
{
	make_value(L, steps);
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = il_lua_heap_new_state();
	if (!L || argc < 2)
		return 2;
	luaL_openlibs(L);
	lua_gc(L, LUA_GCGEN, 0, 0);
	lua_createtable(L, argc - 2, 0);
	for (int i = 2; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	luaL_requiref(L, "ipc", luaopen_ipc, 0);
	lua_register(L, "encode", encode);
	lua_register(L, "decode", decode);
	lua_register(L, "visit", visit);
	lua_register(L, "learn", learn);
	lua_register(L, "make", make);
	int failed = luaL_dofile(L, argv[1]);
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return failed;
}
