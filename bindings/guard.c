/* SPDX-License-Identifier: MIT
 *
 * ipc.Guard, see guard.h. Floor 4.
 */
#include "guard.h"
#include "bind.h"
#include "classes.h"
#include "lock.h"

#define GUARD "ipc.Guard"

static const char class[] = GUARD;

struct guard {
	struct il_object object;
	struct il_lock_hold *hold; /* NULL: released */
};

/* The handle is the user value. */
void il_guard_push(lua_State *L, struct il_lock_hold *h)
{
	struct guard *g = lua_newuserdatauv(L, sizeof *g, 1);
	*g = (struct guard){ .object.class = class };
	luaL_setmetatable(L, GUARD);
	il_push_object(L, h->handle);
	lua_setiuservalue(L, -2, 1);
	g->hold = h;
	h->guard = &g->hold;
}

static int let_go(struct guard *g)
{
	if (g->hold)
		il_holds_notice_fork(g->hold->handle);
	return g->hold ? il_hold_drop(g->hold, false) : 0;
}

static int guard_close(lua_State *L)
{
	struct guard *g = il_self(L, class);
	struct il_lock_handle *handle = g->hold ? g->hold->handle : NULL;
	return il_lock_push_released(L, handle, let_go(g));
}

static int guard__close(lua_State *L)
{
	let_go(il_self(L, class));
	return 0;
}

static int guard__tostring(lua_State *L)
{
	struct guard *g = il_self(L, class);
	lua_pushfstring(L, GUARD " (%s)", g->hold ? g->hold->handle->what : "released");
	return 1;
}

static const luaL_Reg methods[] = { { "close", guard_close }, { NULL, NULL } };

static const luaL_Reg meta[] = {
	{ "__tostring", guard__tostring },
	{ "__gc", guard__close },
	{ "__close", guard__close },
	{ NULL, NULL },
};

void il_guard_open(lua_State *L)
{
	il_class(L, GUARD, methods, meta, NULL);
}
