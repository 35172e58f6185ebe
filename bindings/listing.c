/* SPDX-License-Identifier: MIT
 *
 * What ipctl asks of the engines, see listing.h: which objects there are, and to remove one that no process uses. No
 * part of the module: programs know the names of their objects. Floor 4.
 */
#include "listing.h"
#include "bind.h"
#include "engines/listing.h"
#include "engines/registry.h"

#include <errno.h>
#include <string.h>

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, int64_t value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

static void push_pids(lua_State *L, const struct il_found *f)
{
	lua_newtable(L);
	for (int i = 0; i < IL_FOUND_PIDS && f->pids[i]; i++) {
		lua_pushinteger(L, f->pids[i]);
		lua_rawseti(L, -2, i + 1);
	}
}

static void push_found(lua_State *L, const struct il_found *f)
{
	lua_createtable(L, 0, 16);
	set_text(L, "engine", f->engine);
	set_text(L, "noun", f->noun);
	set_text(L, "key", f->key);
	if (f->fault)
		set_text(L, "fault", f->fault);
	set_number(L, "size", f->size);
	if (f->made)
		set_number(L, "made", f->made);
	set_number(L, "owner", f->owner);
	set_number(L, "mode", f->mode);
	if (f->users >= 0)
		set_number(L, "users", f->users);
	if (f->pids[0]) {
		push_pids(L, f);
		lua_setfield(L, -2, "pids");
	}
	lua_pushboolean(L, f->foreign);
	lua_setfield(L, -2, "foreign");
	lua_pushboolean(L, f->holds);
	lua_setfield(L, -2, "holds");
	for (const struct il_found_number *n = f->numbers; n->name; n++)
		set_number(L, n->name, n->value);
}

/* The memory is the collector's from the start: pushing may raise. */
static int free_listing(lua_State *L)
{
	il_listing_free(lua_touserdata(L, 1));
	return 0;
}

static struct il_listing *push_listing(lua_State *L)
{
	struct il_listing *l = lua_newuserdatauv(L, sizeof *l, 0);
	*l = (struct il_listing){ 0 };
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, free_listing);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	return l;
}

/* list([folder]): a list of tables; or nil, message, errno. */
static int list(lua_State *L)
{
	const char *folder = luaL_optstring(L, 1, NULL);
	struct il_listing *l = push_listing(L);
	int err = il_engines_list(folder, l);
	if (err)
		return il_fail(L, err, "cannot list %s", folder ? folder : "the objects of this machine");
	il_listing_find_users(l);
	lua_createtable(L, (int)l->count, 0);
	for (size_t i = 0; i < l->count; i++) {
		push_found(L, &l->at[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	il_listing_free(l);
	return 1;
}

/* remove_unused(engine, noun, key, anything [, only look]): true; nil, "in use" | "holds something" | "gone" | "not
 * known"; or nil, message, errno. */
static int remove_unused(lua_State *L)
{
	struct il_found f = { .engine = luaL_checkstring(L, 1), .noun = luaL_checkstring(L, 2) };
	size_t size;
	const char *key = luaL_checklstring(L, 3, &size);
	luaL_argcheck(L, size < sizeof f.key, 3, "key is too long");
	memcpy(f.key, key, size + 1);
	unsigned how = lua_toboolean(L, 4) ? IL_UNUSED_ANYTHING : 0;
	int err = il_engines_remove_unused(&f, how | (lua_toboolean(L, 5) ? IL_UNUSED_LOOK : 0));
	switch (err) {
	case 0: lua_pushboolean(L, 1); return 1;
	case EBUSY: return il_word(L, "in use");
	case ENOTEMPTY: return il_word(L, "holds something");
	case ENOENT: return il_word(L, "gone");
	case ENOTSUP: return il_word(L, "not known");
	default: return il_fail(L, err, "%s %s", f.noun, f.key);
	}
}

static const luaL_Reg functions[] = { { "list", list }, { "remove_unused", remove_unused }, { NULL, NULL } };

void il_push_listing(lua_State *L)
{
	luaL_newlib(L, functions);
}
