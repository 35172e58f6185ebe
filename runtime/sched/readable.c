/* SPDX-License-Identifier: MIT
 *
 * Waiting for a descriptor, see readable.h. Floor 3.
 */
#include "sched/readable.h"
#include "base/list.h"
#include "loop/epoll.h"
#include "sched/await.h"

#include <lauxlib.h>
#include <sys/epoll.h>

struct readable {
	struct il_io io;
	struct il_list waiting;
};

static void readable_ready(struct il_io *io, uint32_t events)
{
	(void)events;
	il_op_finish_all(&il_container_of(io, struct readable, io)->waiting, 0);
}

static bool readable_attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int readable_start(struct il_op *op)
{
	struct readable *r = op->source;
	il_list_add(&r->waiting, &op->link);
	int err = il_io_watch(&r->io, EPOLLIN);
	if (err)
		il_list_del(&op->link);
	return err;
}

static bool readable_cancel(struct il_op *op)
{
	il_list_del(&op->link);
	return false;
}

static int readable_push(lua_State *L, struct il_op *op)
{
	(void)L;
	(void)op;
	return 0;
}

static const struct il_await_type readable_type = {
	{ "descriptor", readable_attempt, readable_start, readable_cancel },
	readable_push,
};

static int wait_readable(lua_State *L)
{
	return il_await(L, &readable_type, lua_touserdata(L, 1), 0, 2);
}

/* EPERM: a file, which is always readable. */
int il_readable_wait(lua_State *L, int fd)
{
	struct readable r = { .io = { .fd = fd, .ready = readable_ready } };
	il_list_init(&r.waiting);
	lua_pushcfunction(L, wait_readable);
	lua_pushlightuserdata(L, &r);
	int status = lua_pcall(L, 1, LUA_MULTRET, 0);
	il_io_unwatch(&r.io);
	if (status != LUA_OK)
		lua_error(L);
	return 0;
}
