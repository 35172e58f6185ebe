/* SPDX-License-Identifier: MIT
 *
 * Foreign bytes for both codecs. The first byte chooses one. What can be read is written and read again, and has to be
 * the same value then (in JSON a whole float may have become an integer); what is not, has to leave a message.
 */
#include "fuzz.h"

#include "codec/codec.h"
#include "module.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether two values are the same; JSON may turn a whole float into an integer. Tables as keys have no counterpart to
 * be found, and are only counted. */
static const char same[] =
	"local function same(a, b, json)\n"
	"  if type(a) ~= 'table' then\n"
	"    local alike = math.type(a) == math.type(b) or json and math.type(a) == 'float' and a % 1 == 0\n"
	"    return a == b and alike or a ~= a and b ~= b\n"
	"  end\n"
	"  if type(b) ~= 'table' then return false end\n"
	"  local count = 0\n"
	"  for k, v in next, a do\n"
	"    count = count + 1\n"
	"    if type(k) ~= 'table' and not same(v, b[k], json) then return false end\n"
	"  end\n"
	"  for _ in next, b do count = count - 1 end\n"
	"  return count == 0\n"
	"end\n"
	"return same\n";

static lua_State *lua(void)
{
	static lua_State *L;
	if (L)
		return L;
	L = luaL_newstate();
	luaL_openlibs(L);
	luaL_requiref(L, "ipc", luaopen_ipc, 0);
	lua_settop(L, 0);
	if (luaL_dostring(L, same))
		abort();
	return L;
}

static void fault(lua_State *L, const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, luaL_tolstring(L, -1, NULL));
	abort();
}

/* Index 1: the codec. Index 2: the value. Leaves the value's bytes. */
static int encode(lua_State *L)
{
	il_codec_encode(L, (enum il_codec)lua_tointeger(L, 1), 2, 1, "message");
	lua_settop(L, 2);
	return 1;
}

static bool encoded(lua_State *L, enum il_codec codec, int value)
{
	value = lua_absindex(L, value);
	lua_pushcfunction(L, encode);
	lua_pushinteger(L, (lua_Integer)codec);
	lua_pushvalue(L, value);
	return lua_pcall(L, 2, 1, 0) == LUA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	lua_State *L = lua();
	if (size == 0)
		return 0;
	enum il_codec codec = bytes[0] % 2 ? IL_CODEC_LUA : IL_CODEC_JSON;
	lua_settop(L, 1);
	lua_pushlstring(L, (const char *)bytes + 1, size - 1);
	if (!il_codec_decode(L, codec, 1)) {
		if (lua_gettop(L) != 2 || lua_type(L, 2) != LUA_TSTRING)
			fault(L, "no message");
		return 0;
	}
	if (lua_gettop(L) != 2)
		fault(L, "the stack is out of order");
	if (!encoded(L, codec, 2))
		fault(L, "what was read cannot be written");
	if (!il_codec_decode(L, codec, 1))
		fault(L, "what was written cannot be read");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_pushboolean(L, codec == IL_CODEC_JSON);
	lua_call(L, 3, 1);
	if (!lua_toboolean(L, -1))
		fault(L, "what was written is another value");
	lua_settop(L, 1);
	return 0;
}

static void example(lua_State *L, enum il_codec codec, const char *expression)
{
	lua_settop(L, 1);
	lua_pushlstring(L, codec == IL_CODEC_LUA ? "\1" : "\0", 1);
	lua_pushfstring(L, "return %s", expression);
	if (luaL_dostring(L, lua_tostring(L, -1)) || !encoded(L, codec, -1))
		fault(L, "bad example");
	lua_remove(L, 4);
	lua_remove(L, 3);
	lua_concat(L, 2);
	size_t size;
	const char *bytes = lua_tolstring(L, -1, &size);
	fuzz_example(bytes, size);
}

void fuzz_examples(void)
{
	static const char *const values[] = {
		"{id = 17, name = 'bench', values = {1, 2.5, 'three'}}",
		"{1, -1, 300, -70000, 1 << 40, 0.1, 1e300, -0.0}",
		"{{{{}}, {true, false}}, ('x'):rep(70), ('y'):rep(300)}",
		"'\\0\\1\\xff\\\\\"/é'",
		"math.mininteger",
		"(function() local t = {} for i = 1, 300 do t[i] = i end return t end)()",
		"{a = {b = {c = {1234567890123456789, 9007199254740993}}}}",
		"{[-1] = 1, [0] = 2, [2.5] = 3}",
		"{require 'ipc'.empty_array, {}, {{require 'ipc'.empty_array}}}",
	};
	lua_State *L = lua();
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		example(L, IL_CODEC_LUA, values[i]);
		example(L, IL_CODEC_JSON, values[i]);
	}
	example(L, IL_CODEC_LUA, "{[{}] = {}, [true] = 0/0, [1/0] = require 'ipc'.null}");
	fuzz_example("\0[123456789012345678901, -9223372036854775809, \"12345678901234567\", 1.5e3, null]", 78);
	fuzz_example("\0[[], {}, 1e400, 1., 0.1e-7, \"\\u0000\\ud83d\"]", 45);
	fuzz_example("\0{\"\\u00e9\\ud83d\\ude00\": [12345678901234567 , 0.1234567890123456789]}", 66);
}

void fuzz_end(void)
{
	lua_close(lua());
}
