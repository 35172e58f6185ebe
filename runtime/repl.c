/* SPDX-License-Identifier: MIT
 *
 * The prompt of ipclua. Lines are edited by libedit, which is loaded when the first prompt is shown, so that scripts
 * start without it; its callback interface takes one character at a time, and between two characters the
 * runtime's loop runs. Without libedit, or without a terminal, lines are read plainly.
 * Floor 5.
 */
#include "repl.h"
#include "sched/host.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	void *library;
	void (*install)(const char *prompt, void (*line)(char *));
	void (*remove)(void);
	void (*read_char)(void);
	int (*add_history)(const char *);
	int (*read_history)(const char *);
	int (*write_history)(const char *);
	int (*using_history)(void);
} edit;

static char *entered;  /* the line, malloc'ed by libedit; NULL at the end of the input */
static bool complete;  /* `entered` is valid */

static void on_line(char *line)
{
	entered = line;
	complete = true;
	edit.remove();
}

/* A function of the library; a cast that ISO C does not have and POSIX requires to work. */
static bool symbol(void *slot, const char *name)
{
	void *found = dlsym(edit.library, name);
	memcpy(slot, &found, sizeof found);
	return found != NULL;
}

static bool load_library(void)
{
	if (edit.library)
		return true;
	if (!isatty(STDIN_FILENO) || !(edit.library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL)))
		return false;
	bool whole = symbol(&edit.install, "rl_callback_handler_install") &&
		     symbol(&edit.remove, "rl_callback_handler_remove") &&
		     symbol(&edit.read_char, "rl_callback_read_char") && symbol(&edit.add_history, "add_history") &&
		     symbol(&edit.read_history, "read_history") && symbol(&edit.write_history, "write_history") &&
		     symbol(&edit.using_history, "using_history");
	if (!whole) {
		dlclose(edit.library);
		edit.library = NULL;
	}
	return whole;
}

static const char *history_file(void)
{
	static char path[4096];
	const char *home = getenv("HOME");
	if (!home || snprintf(path, sizeof path, "%s/.ipclua_history", home) >= (int)sizeof path)
		return NULL;
	return path;
}

static int wait_for_input(lua_State *L)
{
	return il_wait_readable(L, STDIN_FILENO);
}

/* Waits for input while everything else goes on; false: Ctrl-C. Other errors end the line, too. */
static bool input(lua_State *L)
{
	lua_pushcfunction(L, wait_for_input);
	if (il_docall(L, 0, 0) == LUA_OK)
		return true;
	lua_pop(L, 1);
	return false;
}

/* Pushes a line: 1. At the end of the input: 0. Interrupted: -1. */
static int edit_line(lua_State *L, const char *prompt)
{
	complete = false;
	edit.install(prompt, on_line);
	while (!complete) {
		if (!input(L)) {
			edit.remove();
			lua_writestring("\n", 1);
			fflush(stdout);
			return -1;
		}
		edit.read_char();
	}
	if (!entered)
		return 0;
	lua_pushstring(L, entered);
	free(entered);
	return 1;
}

static int plain_line(lua_State *L, const char *prompt)
{
	char c;
	ssize_t n;
	fputs(prompt, stdout);
	fflush(stdout);
	lua_pushliteral(L, "");
	for (;;) {
		if (!input(L)) {
			lua_pop(L, 1);
			return -1;
		}
		n = read(STDIN_FILENO, &c, 1);
		if (n <= 0 || c == '\n')
			break;
		lua_pushlstring(L, &c, 1);
		lua_concat(L, 2);
	}
	if (n > 0 || lua_rawlen(L, -1) > 0)
		return 1;
	lua_pop(L, 1);
	return 0;
}

/* Pushes a line: 1. At the end of the input: 0. Interrupted: -1. */
static int read_line(lua_State *L, bool first)
{
	int top = lua_gettop(L);
	if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
		lua_pushstring(L, first ? "> " : ">> ");
	const char *prompt = luaL_tolstring(L, -1, NULL);
	int got = load_library() ? edit_line(L, prompt) : plain_line(L, prompt);
	if (got > 0)
		lua_replace(L, top + 1);
	lua_settop(L, got > 0 ? top + 1 : top);
	return got;
}

static bool incomplete(lua_State *L, int status)
{
	size_t size;
	if (status != LUA_ERRSYNTAX)
		return false;
	const char *text = lua_tolstring(L, -1, &size);
	return size >= 5 && strcmp(text + size - 5, "<eof>") == 0;
}

static int load_text(lua_State *L, int index)
{
	size_t size;
	const char *text = lua_tolstring(L, index, &size);
	return luaL_loadbuffer(L, text, size, "=stdin");
}

/* A line that is an expression, with or without `=`: its values are to be printed. */
static int load_expression(lua_State *L)
{
	const char *line = lua_tostring(L, 1);
	lua_pushfstring(L, "return %s", line[0] == '=' ? line + 1 : line);
	int status = load_text(L, 2);
	lua_remove(L, 2);
	return status;
}

/* Reads lines until they are a chunk; leaves it on the stack, or the error. -1: end of input; -2: interrupted. */
static int load_chunk(lua_State *L)
{
	lua_settop(L, 0);
	int got = read_line(L, true), status;
	if (got <= 0)
		return got - 1;
	if ((status = load_expression(L)) != LUA_OK) {
		lua_settop(L, 1);
		while (incomplete(L, status = load_text(L, 1))) {
			lua_settop(L, 1);
			lua_pushliteral(L, "\n");
			if ((got = read_line(L, false)) <= 0)
				return got - 1;
			lua_concat(L, 3);
		}
	}
	if (edit.library && lua_rawlen(L, 1) > 0)
		edit.add_history(lua_tostring(L, 1));
	lua_remove(L, 1);
	return status;
}

static void print_results(lua_State *L)
{
	int n = lua_gettop(L);
	if (!n)
		return;
	luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
	lua_getglobal(L, "print");
	lua_insert(L, 1);
	if (il_docall(L, n, 0) != LUA_OK) {
		const char *text = lua_pushfstring(L, "error calling 'print' (%s)", lua_tostring(L, -1));
		lua_writestringerror("%s\n", text);
	}
}

void il_repl(lua_State *L)
{
	int status;
	if (load_library()) {
		edit.using_history();
		if (history_file())
			edit.read_history(history_file());
	}
	while ((status = load_chunk(L)) != -1) {
		if (status == -2)
			continue;
		if (status == LUA_OK)
			status = il_docall(L, 0, LUA_MULTRET);
		if (status == LUA_OK)
			print_results(L);
		else
			il_report(L, status);
	}
	lua_settop(L, 0);
	lua_writeline();
	if (edit.library && history_file())
		edit.write_history(history_file());
}
