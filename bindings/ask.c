/* SPDX-License-Identifier: MIT
 *
 * Asking other machines, see ask.h. Floor 4.
 */
#include "ask.h"
#include "bind.h"
#include "key_object.h"
#include "sched/await.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

/* The engine's object, which begins with a pointer to a struct il_remote; NULL: closed. */
static struct il_remote **object_of(const void *handle)
{
	void *object;
	memcpy(&object, (const struct il_object *)handle + 1, sizeof object);
	return object;
}

static const struct il_op_type *type_of(struct il_op *op)
{
	return (*object_of(op->handle))->answer;
}

static bool attempt(struct il_op *op)
{
	op->handle = op->data;
	op->data = NULL;
	return type_of(op)->attempt(op);
}

static int start(struct il_op *op)
{
	return type_of(op)->start(op);
}

static bool cancel(struct il_op *op)
{
	return object_of(op->handle) && type_of(op)->cancel(op);
}

static int push(lua_State *L, struct il_op *op)
{
	struct il_remote **object = object_of(op->handle);
	if (!object && !op->size)
		return il_word(L, "closed");
	if (object)
		(*object)->request = op->source;
	return ((lua_CFunction)(intptr_t)op->arg)(L);
}

static const struct il_await_type type = { { "answer", attempt, start, cancel }, push };

static int ask(lua_State *L, int handle, lua_CFunction again, bool raise)
{
	void *userdata = lua_touserdata(L, handle);
	struct il_remote *remote = *object_of(userdata);
	struct il_request *request = remote->request;
	remote->request = NULL;
	if (remote->here && !il_may_wait_now(L)) {
		remote->unheard = true;
		return again(L);
	}
	return il_await_data(L, &type, request, (intptr_t)again, userdata, raise, lua_gettop(L) + 1);
}

int il_ask(lua_State *L, int handle, lua_CFunction again)
{
	return ask(L, handle, again, false);
}

int il_ask_or_raise(lua_State *L, int handle, lua_CFunction again)
{
	return ask(L, handle, again, true);
}

int il_remote_fail(lua_State *L, int err, const struct il_remote *remote, const char *noun, const char *what)
{
	if (!remote || !remote->why || err == EIDRM || err == ECANCELED)
		return il_object_fail(L, err, noun, what);
	lua_pushnil(L);
	if (err == ECONNABORTED)
		lua_pushfstring(L, "%s %s: connection lost; it may or may not have happened (%s)", noun, what,
			remote->why);
	else
		lua_pushfstring(L, "%s %s: %s", noun, what, remote->why);
	lua_pushinteger(L, err);
	return 3;
}

void il_remote_warn(lua_State *L, const struct il_remote *remote, const char *noun, const char *what)
{
	if (!remote || !remote->evicts)
		return;
	lua_pushfstring(L, "%s %s: the server removes keys when memory is short (maxmemory-policy is not noeviction)",
		noun, what);
	lua_warning(L, lua_tostring(L, -1), 0);
	lua_pop(L, 1);
}
