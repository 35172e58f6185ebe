/* SPDX-License-Identifier: MIT
 *
 * Runs a Lua script that can call the codecs by themselves: encode(codec, value) and decode(codec, bytes), codec being
 * "json" or "lua". For what no channel would send, and to measure. Linked with the objects of a build:
 *   cc -std=c11 -D_GNU_SOURCE -Ibindings -Iruntime -I/usr/include/lua5.4 spec/support/codec_face.c build/bindings/[*].o \
 *     build/runtime/[*]/[*].o ... -l:liblua5.4.a -lm -ldl -lpthread
 */
#include "codec.h"
#include "module.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static enum il_codec codec_of(lua_State *L)
{
	return strcmp(luaL_checkstring(L, 1), "json") == 0 ? IL_CODEC_JSON : IL_CODEC_LUA;
}

static int encode(lua_State *L)
{
	enum il_codec codec = codec_of(L);
	lua_settop(L, 2);
	il_codec_encode(L, codec, 2, 1);
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

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();
	if (!L || argc < 2)
		return 2;
	luaL_openlibs(L);
	lua_createtable(L, argc - 2, 0);
	for (int i = 2; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	luaL_requiref(L, "ipc", luaopen_ipc, 0);
	lua_register(L, "encode", encode);
	lua_register(L, "decode", decode);
	int failed = luaL_dofile(L, argv[1]);
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return failed;
}
