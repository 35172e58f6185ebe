/* SPDX-License-Identifier: MIT
 *
 * ipc.FileLock: flock(2) on a file, exclusive or shared.
 * Floor 4.
 */
#include "bind.h"
#include "classes.h"
#include "engines/registry.h"
#include "key_object.h"
#include "lock.h"
#include "option.h"
#include "sched/park.h"

#include <string.h>
#include <sys/stat.h>

static const struct il_lock_class class = {
	.name = "ipc.FileLock",
	.noun = "file lock",
	IL_LOCK_RELEASE("file lock"),
};

static int file_lock(lua_State *L)
{
	static const char *const options[] = { "mode", NULL };
	const char *path = il_check_text(L, 1, "path");
	lua_settop(L, 2);
	il_options(L, 2, options);
	struct il_lock_options o = { .mode = il_mode_option(L, 2) };
	struct il_lock_handle *handle = il_lock_push(L, &class, path, il_path_identity(path));
	struct il_lock *l;
	bool collected = false;
	int err;
	do
		err = il_file_lock_new(path, &o, &l);
	while (il_collect(L, err, &collected));
	return err ? il_fail(L, err, "file lock %s", path) : il_lock_open(L, handle, l);
}

static int file_lock_acquire(lua_State *L)
{
	const char *how = lua_isnoneornil(L, 3) ? "exclusive" : lua_type(L, 3) == LUA_TSTRING ? lua_tostring(L, 3) : "";
	bool shared = strcmp(how, "shared") == 0;
	luaL_argcheck(L, shared || strcmp(how, "exclusive") == 0, 3, "how must be \"exclusive\" or \"shared\"");
	return il_lock_acquire_as(L, &class, shared);
}

IL_LOCK_METHODS(file_lock)

static const luaL_Reg methods[] = {
	{ "acquire", file_lock_acquire },
	{ "try_acquire", file_lock_try_acquire },
	{ "hold", file_lock_hold },
	{ "release", file_lock_release },
	{ "lost", file_lock_lost },
	{ "remove", file_lock_remove },
	{ "close", file_lock_close },
	{ NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__tostring", file_lock__tostring },
	{ "__gc", file_lock_close },
	{ "__close", file_lock_close },
	{ NULL, NULL },
};

static const luaL_Reg waits[] = {
	{ "acquire", file_lock_acquire },
	{ "hold", file_lock_hold },
	{ "release", file_lock_release },
	{ "lost", file_lock_lost },
	{ NULL, NULL },
};

/* With the number by which /proc/locks knows the file. */
static void describe(const void *handle, struct il_described *d)
{
	struct stat st;
	il_lock_describe(handle, d);
	d->other = stat(d->key, &st) == 0 ? (int64_t)st.st_ino : 0;
}

static const struct il_cases cases = { .usual = "acquire",
	.methods = waits,
	.open = il_lock_is_open,
	.describe = describe };

void il_file_lock_open(lua_State *L)
{
	il_class(L, class.name, methods, meta, &cases);
	lua_pushcfunction(L, file_lock);
	lua_setfield(L, -2, "file_lock");
}
