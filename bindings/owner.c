/* SPDX-License-Identifier: MIT
 *
 * See owner.h. A unique symbol is one for the whole process, also among libraries that were loaded RTLD_LOCAL, as Lua
 * loads them: the dynamic linker of glibc gives all of them the first one's. There is no word for it in C. With another
 * linker only the host and the libraries share it.
 * Floor 4.
 */
#include "owner.h"

#include <stdatomic.h>

/* The main thread of the state; NULL: there is none. */
extern lua_State *_Atomic ipclua_owner __attribute__((visibility("default")));

__asm__(".pushsection .bss\n"
	".balign 8\n"
	".globl ipclua_owner\n"
	".type ipclua_owner, %gnu_unique_object\n"
	".size ipclua_owner, 8\n"
	"ipclua_owner: .zero 8\n"
	".popsection\n");

static lua_State *main_thread(lua_State *L)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	lua_State *thread = lua_tothread(L, -1);
	lua_pop(L, 1);
	return thread;
}

bool il_owner_claim(lua_State *L)
{
	lua_State *before = NULL, *thread = main_thread(L);
	return atomic_compare_exchange_strong(&ipclua_owner, &before, thread) || before == thread;
}

bool il_owner_is(lua_State *L)
{
	return atomic_load(&ipclua_owner) == main_thread(L);
}

void il_owner_release(void)
{
	atomic_store(&ipclua_owner, NULL);
}

const void *il_owner_key(void)
{
	return (const void *)&ipclua_owner;
}
