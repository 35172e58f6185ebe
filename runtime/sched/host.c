/* SPDX-License-Identifier: MIT
 *
 * The runtime as a host program uses it, see host.h.
 * Floor 3.
 */
#include "sched/host.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/epoll.h"
#include "loop/loop.h"
#include "os/signal.h"
#include "sched/await.h"
#include "sched/error.h"
#include "sched/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <sys/epoll.h>

static int turn_while_alive(lua_State *L)
{
	while (il_sched_alive())
		il_turn(L, IL_NEVER, il_sched_alive);
	return 0;
}

static bool always(void)
{
	return true;
}

static int turn_once(lua_State *L)
{
	il_turn(L, lua_tointeger(L, 1), always);
	return 0;
}

/* Runs turns on top of the main chunk. */
static void on_main(lua_State *L, lua_CFunction turns, int64_t until, const char *name)
{
	if (il_sched.current || il_sched.turning || il_sched.main_wait.state != IL_IDLE)
		il_error(L, "%s is for the main chunk, not for a task or a callback", name);
	lua_State *running = il_running;
	il_sched.turning = true;
	il_running = NULL;
	lua_pushcfunction(L, turns);
	lua_pushinteger(L, until);
	int status = lua_pcall(L, 1, 0, 0);
	il_sched.turning = false;
	il_running = running;
	il_preempt();
	if (status != LUA_OK)
		lua_error(L);
}

int il_host_run(lua_State *L)
{
	if (il_sched.open)
		on_main(L, turn_while_alive, 0, "ipc.run");
	il_sched_changed();
	lua_pushboolean(L, 1);
	return 1;
}

int il_host_step(lua_State *L)
{
	int64_t deadline = il_check_deadline(L, 1);
	on_main(L, turn_once, deadline, "ipc.step");
	il_loop_nested(il_task_any_ready() || il_events_due() ? 1 : il_loop_next());
	lua_pushboolean(L, il_sched_alive());
	return 1;
}

bool il_host_failed(void)
{
	return il_sched.failed;
}

struct readable {
	struct il_io io;
	struct il_list line;
};

static void readable_ready(struct il_io *io, uint32_t events)
{
	(void)events;
	il_op_finish_all(&il_container_of(io, struct readable, io)->line, 0);
}

static bool readable_attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int readable_start(struct il_op *op)
{
	struct readable *r = op->source;
	il_list_add(&r->line, &op->link);
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
int il_wait_readable(lua_State *L, int fd)
{
	struct readable r = { .io = { .fd = fd, .ready = readable_ready } };
	il_list_init(&r.line);
	lua_pushcfunction(L, wait_readable);
	lua_pushlightuserdata(L, &r);
	int status = lua_pcall(L, 1, LUA_MULTRET, 0);
	il_io_unwatch(&r.io);
	if (status != LUA_OK)
		lua_error(L);
	return 0;
}

static void begin_anew(void)
{
	lua_State *L = il_running;
	il_interrupt_after_fork();
	il_sched_drop(L, true);
	il_running = L;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_TASKS, .anew = begin_anew };

void il_host_init(void)
{
	il_fork_add(&fork_hook);
}
