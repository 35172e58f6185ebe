/* SPDX-License-Identifier: MIT
 *
 * The boards of processes for the scripts: which there are. Lua reads them (scripts/ipc/board.lua).
 * Floor 4.
 */
#include "os/board.h"
#include "classes.h"
#include "script.h"

#include <lauxlib.h>
#include <string.h>

enum { ROOM = 4096 };

/* core.boards(): the paths of the boards, after those of dead processes have been removed. */
static int boards(lua_State *L)
{
	size_t size = ROOM, used;
	char *names;
	lua_Integer n = 0;
	il_boards_sweep();
	for (;;) {
		names = lua_newuserdatauv(L, size, 0);
		used = il_boards_list(names, size);
		if (used <= size)
			break;
		size = 2 * used;
		lua_pop(L, 1);
	}
	lua_newtable(L);
	for (const char *name = names; name < names + used; name += strlen(name) + 1) {
		lua_pushfstring(L, IL_BOARD_FOLDER "/%s", name);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* core.board(path): its bytes as they are now; nil: it is none that can be read. */
static int board(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	size_t size = il_board_size(path);
	luaL_Buffer bytes;
	if (!size)
		return 0;
	char *to = luaL_buffinitsize(L, &bytes, size);
	luaL_pushresultsize(&bytes, il_board_read(path, to, size));
	return 1;
}

static int explained(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L);
}

/* ipc.explain(). */
static int explain(lua_State *L)
{
	lua_settop(L, 0);
	il_push_script(L, "ipc.explain", "explain");
	lua_callk(L, 0, 1, 0, explained);
	return explained(L, LUA_OK, 0);
}

static const luaL_Reg internals[] = { { "boards", boards }, { "board", board }, { NULL, NULL } };

void il_board_open(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_setfuncs(L, internals, 0);
	lua_pop(L, 1);
	lua_pushcfunction(L, explain);
	lua_setfield(L, -2, "explain");
}
