/* SPDX-License-Identifier: MIT
 *
 * ipc.SharedData: values by name that processes share. Here are the handle and the end of the data; what is read is in
 * shared_data_read.c, what is changed in shared_data_write.c. A user value of a handle is a table: the version it
 * last got of each name, for set's check == true.
 * Floor 4.
 */
#include "shared_data_handle.h"
#include "bind.h"
#include "classes.h"
#include "key.h"
#include "key_object.h"
#include "option.h"
#include "shared_data_change.h"
#include "shared_data_each.h"
#include "shared_data_write.h"
#include "shared_data_read.h"
#include "sched/await.h"
#include "sched/park.h"

#include <errno.h>
#include <string.h>

#define CLASS IL_DATA_CLASS

static const lua_Integer SMALLEST = 1 << 16, LARGEST = (lua_Integer)1 << 40;

static struct il_shared_data *check_data(lua_State *L)
{
	return il_self(L, il_data_class);
}

/* The constructor --------------------------------------------------------------------------------------- */

static size_t size_option(lua_State *L, int arg)
{
	return (size_t)il_option_integer(L, arg, "size", SMALLEST, LARGEST, "bytes", 0);
}

static struct il_shared_data *push_handle(lua_State *L, int options, const struct il_key *key)
{
	size_t size = strlen(key->text) + 1;
	struct il_shared_data *d = lua_newuserdatauv(L, sizeof *d + size, IL_DATA_VERSIONS);
	*d = (struct il_shared_data){ .object.class = il_data_class, .codec = IL_CODEC_RAW };
	memcpy(d->what, key->text, size);
	d->identity = il_key_identity(key, NOUN);
	luaL_setmetatable(L, CLASS);
	il_register_object(L);
	lua_newtable(L);
	lua_setiuservalue(L, -2, IL_DATA_VERSIONS);
	d->codec = il_codec_option(L, options);
	il_codec_keep(L, d->codec);
	return d;
}

static const char *const options[] = { "codec", "create", "mode", "size", "sync", NULL };

static struct il_data_options check_options(lua_State *L)
{
	struct il_data_options o = { .mode = il_mode_option(L, 2), .sync = il_sync_option(L, 2) };
	o.size = size_option(L, 2);
	return o;
}

static int cannot_open(lua_State *L, int err, const struct il_key *key, size_t found, size_t wanted)
{
	if (err == EEXIST)
		return il_fail(L, err, NOUN " %s has a size of %I bytes, not %I", key->text, (LUAI_UACINT)found,
			(LUAI_UACINT)wanted);
	return il_key_fail(L, err, NOUN, key);
}

static int opened(lua_State *L, const struct il_shared_data *d)
{
	il_warn_shared(L, &d->data->shared, NOUN, d->what);
	lua_settop(L, 3);
	return 1;
}

/* Stack: the key, options, and the handle that is to be opened. */
static int open_push(lua_State *L, struct il_op *op)
{
	struct il_shared_data *d = op->handle;
	struct il_data *data = d->data;
	if (!op->err)
		return opened(L, d);
	const struct il_key *key = il_check_key(L);
	il_note_why(op->err, data);
	int results = cannot_open(L, op->err, key, data->size, check_options(L).size);
	d->data = NULL;
	data->ops->close(data);
	return results;
}

static int open_data(lua_State *L, const struct il_key *key, struct il_shared_data *d)
{
	struct il_data_options o = check_options(L);
	struct il_op op;
	bool collected = false;
	int err;
	do {
		err = il_check_sync(key, o.sync);
		if (!err)
			err = il_codec_prepare(L, d->codec);
		if (!err)
			err = key->engine->data ? key->engine->data(key, &o, &d->data) : ENOTSUP;
	} while (il_collect(L, err, &collected));
	if (err)
		return cannot_open(L, err, key, o.found, o.size);
	if (!d->data->ops->open.attempt)
		return opened(L, d);
	il_data_call(&op, d, &d->data->ops->open, open_push);
	return il_await_answer(L, &op);
}

static int shared_data(lua_State *L)
{
	const struct il_key *key = il_check_key(L);
	lua_settop(L, 2);
	il_options(L, 2, options);
	check_options(L);
	return open_data(L, key, push_handle(L, 2, key));
}

/* The end ----------------------------------------------------------------------------------------------- */

static int remove_push(lua_State *L, struct il_op *op)
{
	if (op->err)
		return il_data_fail(L, op->handle, op->err);
	lua_pushboolean(L, 1);
	return 1;
}

static int data_remove(lua_State *L)
{
	struct il_shared_data *d = il_data_check_open(L);
	struct il_op op;
	il_check_last(L, 1, "remove ends the shared data with all its names, and takes none; delete takes one");
	il_data_call(&op, d, &d->data->ops->remove, remove_push);
	return il_await_answer(L, &op);
}

static int data_close(lua_State *L)
{
	struct il_shared_data *d = check_data(L);
	struct il_data *engine = d->data;
	d->data = NULL;
	if (engine)
		engine->ops->close(engine);
	return 0;
}

/* Only what can be told without a wait. */
static int data__tostring(lua_State *L)
{
	struct il_shared_data *d = check_data(L);
	struct il_op op;
	if (!d->data) {
		lua_pushfstring(L, CLASS " (%s, closed)", d->what);
		return 1;
	}
	il_data_call(&op, d, &d->data->ops->stat, NULL);
	bool known = op.type->attempt(&op);
	if (d->data->shared.removed || (known && op.err == EIDRM))
		lua_pushfstring(L, CLASS " (%s, removed)", d->what);
	else if (known && !op.err)
		lua_pushfstring(L, CLASS " (%s, %I names)", d->what, (LUAI_UACINT)d->data->stat.names);
	else
		lua_pushfstring(L, CLASS " (%s)", d->what);
	return 1;
}

static const luaL_Reg methods[] = {
	{ "get", il_data_get },
	{ "set", il_data_set },
	{ "update", il_data_update },
	{ "add", il_data_add },
	{ "delete", il_data_delete },
	{ "change", il_data_change },
	{ "clear", il_data_clear },
	{ "each", il_data_each },
	{ "wait", il_data_wait },
	{ "count", il_data_count },
	{ "stat", il_data_stat },
	{ "remove", data_remove },
	{ "close", data_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__pairs", il_data__pairs },
	{ "__tostring", data__tostring },
	{ "__gc", data_close },
	{ "__close", data_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "wait", il_data_wait },
	{ "get", il_data_get },
	{ "count", il_data_count },
	{ "stat", il_data_stat },
	{ NULL, NULL },
};

static bool is_open(const void *object)
{
	return ((const struct il_shared_data *)object)->data != NULL;
}

static void describe(const void *data, struct il_described *d)
{
	const struct il_shared_data *s = data;
	*d = (struct il_described){ .key = s->what, .object = s->identity };
}

static const struct il_cases cases = { .methods = waits, .open = is_open, .describe = describe };

/* What the script needs, for a handle of this class. */
static const luaL_Reg for_script[] = {
	{ "data_query", il_data_query },
	{ "data_swap", il_data_swap },
	{ "data_read", il_data_query_raw },
	{ "data_decode", il_data_decoded },
	{ "data_check_name", il_data_name },
	{ "data_encode", il_data_encode },
	{ "data_commit", il_data_commit },
	{ NULL, NULL },
};

void il_shared_data_open(lua_State *L)
{
	il_class(L, CLASS, methods, meta, &cases);
	il_snapshot_open(L);
	lua_pushcfunction(L, shared_data);
	lua_setfield(L, -2, "shared_data");
	luaL_getsubtable(L, LUA_REGISTRYINDEX, "ipc.core");
	luaL_getmetatable(L, CLASS);
	luaL_setfuncs(L, for_script, 1);
	lua_pop(L, 1);
}
