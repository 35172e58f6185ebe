/* SPDX-License-Identifier: MIT
 *
 * ipc.process{...}: the table is read and checked first, which may raise; then its descriptors are opened and the
 * program is started, which does not. Floor 4.
 */
#include "program.h"
#include "bind.h"
#include "os/spawn.h"
#include "option.h"
#include "process.h"
#include "stream/gathered.h"
#include "stream/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STANDARD = IL_CHILD_CHANNEL };

static const char *const names[STANDARD] = { "stdin", "stdout", "stderr" };

/* What one of the three is to be. */
struct source {
	enum { AS_OURS, PIPE, NOTHING, MERGED, DESCRIPTOR, CHANNEL } kind;
	int fd;
};

static int refuse(lua_State *L)
{
	return luaL_argerror(L, 1, lua_tostring(L, -1));
}

/* The user's table at 1 makes place for a copy of ours, in which strings can be kept alive. */
static void copy_table(lua_State *L, lua_Integer n)
{
	static const char *const options[] = { IL_CHANNEL_OPTIONS, "cwd", "env", "stderr", "stdin", "stdout",
		"with_parent", NULL };
	lua_settop(L, 1);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		bool argument = lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1;
		luaL_argcheck(L, !argument || lua_tointeger(L, -2) <= n, 1, "the list has a hole");
		lua_pushvalue(L, -2);
		if (!argument)
			il_check_option_name(L, 1, options);
		lua_pushvalue(L, -2);
		lua_rawset(L, 2);
	}
	lua_replace(L, 1);
}

/* The string or number at an absolute index as a C string. */
static const char *text_at(lua_State *L, int index, const char *what)
{
	size_t size;
	const char *text = lua_tolstring(L, index, &size);
	if (!text)
		lua_pushfstring(L, "%s must be a string or a number, got %s", what, luaL_typename(L, index));
	else if (strlen(text) != size)
		lua_pushfstring(L, "%s has a zero byte", what);
	else
		return text;
	refuse(L);
	return NULL;
}

static char **arguments(lua_State *L, size_t n)
{
	char what[64];
	luaL_argcheck(L, n > 0, 1, "the list needs a program");
	luaL_argcheck(L, n < INT_MAX / sizeof(char *), 1, "too many arguments");
	char **argv = lua_newuserdatauv(L, (n + 1) * sizeof *argv, 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(what, sizeof what, i ? "argument %zu" : "the program", i);
		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		argv[i] = (char *)text_at(L, lua_gettop(L), what);
		lua_rawseti(L, 1, (lua_Integer)i + 1); /* a number is a string now */
	}
	argv[n] = NULL;
	return argv;
}

/* Stack: name, value → name, "name=value". */
static void push_variable(lua_State *L)
{
	int value = lua_gettop(L), name = value - 1;
	if (lua_type(L, name) != LUA_TSTRING) {
		lua_pushfstring(L, "a name in env must be a string, got %s", luaL_typename(L, name));
		refuse(L);
	}
	const char *text = text_at(L, name, "a name in env");
	if (!*text || strchr(text, '=')) {
		lua_pushfstring(L, "'%s' cannot be a name in env", text);
		refuse(L);
	}
	text_at(L, value, lua_pushfstring(L, "env.%s", text));
	lua_pushfstring(L, "%s=%s", text, lua_tostring(L, value));
	lua_replace(L, value);
	lua_settop(L, value);
}

/* NULL: as ours. The strings stay in a list beside their addresses. */
static char **environment(lua_State *L)
{
	il_option(L, 1, "env");
	if (!lua_toboolean(L, -1))
		return NULL;
	luaL_argcheck(L, lua_istable(L, -1), 1, "env must be a table");
	int env = lua_gettop(L);
	size_t n = 0, i = 0;
	for (lua_pushnil(L); lua_next(L, env); lua_pop(L, 1))
		n++;
	char **envp = lua_newuserdatauv(L, (n + 1) * sizeof *envp, 0);
	lua_createtable(L, (int)n, 0);
	for (lua_pushnil(L); i < n && lua_next(L, env);) {
		push_variable(L);
		envp[i++] = (char *)lua_tostring(L, -1);
		lua_rawseti(L, env + 2, (lua_Integer)i);
	}
	envp[i] = NULL;
	lua_settop(L, env + 2);
	return envp;
}

static bool ends_with_parent(lua_State *L)
{
	int type = il_option(L, 1, "with_parent");
	if (type != LUA_TNIL && type != LUA_TBOOLEAN)
		il_option_refuse(L, 1, "with_parent must be true or false");
	bool ends = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return ends;
}

static const char *directory(lua_State *L)
{
	il_option(L, 1, "cwd");
	return lua_toboolean(L, -1) ? text_at(L, lua_gettop(L), "cwd") : NULL;
}

/* What has a descriptor: a number, a file or a channel at the top. */
static struct source descriptor(lua_State *L, const char *name)
{
	struct il_channel *c = il_test_channel(L, -1);
	luaL_Stream *file = luaL_testudata(L, -1, LUA_FILEHANDLE);
	lua_Integer n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
	const char *fault = "must be \"pipe\", \"null\", a file, a channel or a descriptor";
	if (n >= 0 && n <= INT_MAX)
		return (struct source){ DESCRIPTOR, (int)n };
	if (file && file->closef) {
		fflush(file->f);
		return (struct source){ DESCRIPTOR, fileno(file->f) };
	}
	bool open = c && c->stream && c->stream->transport.fd >= 0;
	if (open && c->stream->in.start == c->stream->in.end && il_list_empty(&c->stream->out.queue))
		return (struct source){ CHANNEL, c->stream->transport.fd };
	if (open)
		fault = "is a channel with messages that were not received or sent yet";
	else if (c || file)
		fault = c ? "is a closed channel" : "is a closed file";
	lua_pushfstring(L, "%s %s", name, fault);
	refuse(L);
	return (struct source){ AS_OURS, -1 };
}

static struct source source(lua_State *L, int which)
{
	int type = il_option(L, 1, names[which]);
	const char *word = type == LUA_TSTRING ? lua_tostring(L, -1) : "";
	struct source s = { AS_OURS, -1 };
	if (strcmp(word, "pipe") == 0)
		s.kind = PIPE;
	else if (strcmp(word, "null") == 0)
		s.kind = NOTHING;
	else if (which == STDERR_FILENO && strcmp(word, "stdout") == 0)
		s.kind = MERGED;
	else if (lua_toboolean(L, -1))
		s = descriptor(L, names[which]);
	lua_pop(L, 1);
	return s;
}

static void read_sources(lua_State *L, struct source sources[STANDARD])
{
	for (int i = 0; i < STANDARD; i++)
		sources[i] = source(L, i);
}

/* Its pipes carry lines of bytes, unless the table says otherwise. */
static void default_option(lua_State *L, const char *name, const char *value)
{
	if (il_option(L, 1, name) == LUA_TNIL) {
		lua_pushstring(L, value);
		lua_setfield(L, 1, name);
	}
	lua_pop(L, 1);
}

static int open_source(struct il_program *g, int which, const struct source *s, struct il_channel *c)
{
	int fd, err;
	switch (s->kind) {
	case PIPE: err = il_program_pipe(g, which, &fd); return err ? err : il_stream_open(&c->stream, fd, &c->options);
	case NOTHING: return il_program_null(g, which);
	case DESCRIPTOR:
	case CHANNEL: return il_program_lend(g, which, s->fd, s->kind == CHANNEL);
	case MERGED: g->merge = true; return 0;
	case AS_OURS: break;
	}
	return 0;
}

static void close_channels(struct il_child *c)
{
	for (int i = 0; i < STANDARD; i++)
		if (c->channels[i])
			il_channel_abandon(c->channels[i]);
}

static enum il_codec codec_of(const struct il_child *c)
{
	for (int i = 0; i < STANDARD; i++)
		if (c->channels[i])
			return c->channels[i]->codec;
	return IL_CODEC_RAW;
}

/* Nothing here raises. *failed: which descriptor it was that failed, or STANDARD. 0 or errno. */
static int start(struct il_child *c, struct il_program *g, const struct source *sources, int *failed)
{
	int err = 0;
	for (*failed = 0; *failed < STANDARD && !err; *failed += !err)
		err = open_source(g, *failed, &sources[*failed], c->channels[*failed]);
	if (!err)
		err = il_process_spawn(&c->p, g);
	il_program_fini(g);
	if (err)
		close_channels(c);
	return err;
}

static int failure(lua_State *L, const struct il_program *g, int which, int err)
{
	if (err == EAGAIN)
		return il_fail(L, err, "cannot start '%s', ulimit -u allows no more processes", g->argv[0]);
	if (which < STANDARD)
		return il_fail(L, err, "cannot start '%s': its %s", g->argv[0], names[which]);
	if (g->cwd)
		return il_fail(L, err, "cannot start '%s' in '%s'", g->argv[0], g->cwd);
	return il_fail(L, err, "cannot start '%s'", g->argv[0]);
}

int il_program(lua_State *L)
{
	struct il_program program;
	struct source sources[STANDARD];
	int failed = STANDARD;
	luaL_checkstack(L, LUA_MINSTACK, NULL);
	size_t n = (size_t)lua_rawlen(L, 1);
	copy_table(L, (lua_Integer)n);
	il_program_init(&program);
	program.argv = arguments(L, n);
	program.envp = environment(L);
	program.cwd = directory(L);
	program.with_parent = ends_with_parent(L);
	read_sources(L, sources);
	default_option(L, "codec", "raw");
	default_option(L, "framing", "line");
	struct il_child *c = il_child_push(L);
	for (int i = 0; i < STANDARD; i++)
		if (sources[i].kind == PIPE)
			il_child_channel(L, c, i, 1);
	if (sources[STDOUT_FILENO].kind == AS_OURS)
		fflush(stdout); /* what was printed before stands before what it prints */
	il_gathered_flush(); /* and so does what was sent */
	bool collected = false;
	int err;
	do {
		if (collected) /* and finalizers have run */
			read_sources(L, sources);
		c->ref = il_ref(L, -1);
		err = il_codec_prepare(L, codec_of(c));
		if (!err)
			err = start(c, &program, sources, &failed);
		if (!err)
			return il_child_started(L, c);
		il_unref(L, &c->ref);
	} while (il_collect(L, err == EAGAIN ? ENOMEM : err, &collected));
	return failure(L, &program, failed, err);
}
