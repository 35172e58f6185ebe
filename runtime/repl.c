/* SPDX-License-Identifier: MIT
 *
 * The prompt of ipclua. Between two bytes of a line the runtime's loop runs, so that tasks and timers go on. Where
 * there is no editor (editor.h), lines are read plainly.
 * Floor 5.
 */
#include "repl.h"
#include "call.h"
#include "editor.h"
#include "module.h"
#include "sched/readable.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int wait_for_input(lua_State *L)
{
	return il_readable_wait(L, STDIN_FILENO);
}

/* Waits for input while everything else goes on; false: Ctrl-C. Other errors end the line, too. */
static bool input(lua_State *L)
{
	lua_pushcfunction(L, wait_for_input);
	if (il_call(L, 0, 0) == LUA_OK)
		return true;
	lua_pop(L, 1);
	return false;
}

static bool input_for_editor(void *L)
{
	return input(L);
}

/* Pushes a line: 1. At the end of the input: 0. Interrupted: -1. */
static int edit_line(lua_State *L, const char *prompt)
{
	char *line;
	if (!il_editor_line(prompt, input_for_editor, L, &line)) {
		lua_writeline();
		return -1;
	}
	if (!line)
		return 0;
	lua_pushstring(L, line);
	free(line);
	return 1;
}

/* stdin has no buffer here (il_repl), so that io.read() in the code that was typed finds the next line. */
static int plain_line(lua_State *L, const char *prompt)
{
	int c;
	luaL_Buffer line;
	lua_writestring(prompt, strlen(prompt));
	fflush(stdout);
	luaL_buffinit(L, &line);
	do {
		if (!input(L))
			return -1;
		c = getchar();
		if (c != EOF && c != '\n')
			luaL_addchar(&line, (char)c);
	} while (c != EOF && c != '\n');
	luaL_pushresult(&line);
	return c != EOF || lua_rawlen(L, -1) > 0;
}

/* Pushes a line: 1. At the end of the input: 0. Interrupted: -1. */
static int read_line(lua_State *L, bool first)
{
	int top = lua_gettop(L);
	if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
		lua_pushstring(L, first ? "> " : ">> ");
	const char *prompt = luaL_tolstring(L, -1, NULL);
	int got = il_editor_open() ? edit_line(L, prompt) : plain_line(L, prompt);
	if (got > 0) {
		const char *line = lua_tostring(L, -1);
		if (first && line[0] == '=') /* as in Lua 5.1 and 5.2 */
			lua_pushfstring(L, "return %s", line + 1);
		lua_replace(L, top + 1);
	}
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

/* A line that is an expression: its values are to be printed. */
static int load_expression(lua_State *L)
{
	lua_pushfstring(L, "return %s;", lua_tostring(L, 1));
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
			lua_pushliteral(L, "\n");
			got = read_line(L, false);
			if (got < 0)
				return -2;
			if (got == 0) { /* the error says what is missing */
				lua_pop(L, 1);
				break;
			}
			lua_remove(L, 2);
			lua_concat(L, 3);
		}
	}
	if (lua_rawlen(L, 1) > 0)
		il_editor_remember(lua_tostring(L, 1));
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
	if (lua_pcall(L, n, 0, 0) != LUA_OK) {
		const char *text = lua_pushfstring(L, "error calling 'print' (%s)", lua_tostring(L, -1));
		lua_writestringerror("%s\n", text);
	}
}

static int open_runtime(lua_State *L)
{
	lua_pushcfunction(L, luaopen_ipc);
	lua_call(L, 0, 0);
	return 0;
}

void il_repl(lua_State *L)
{
	int status;
	lua_pushcfunction(L, open_runtime); /* the prompt waits in it */
	if (il_call_report(L, il_call(L, 0, 0)) != LUA_OK)
		return;
	if (!il_editor_open())
		setvbuf(stdin, NULL, _IONBF, 0);
	while (il_call_catch_interrupt(), (status = load_chunk(L)) != -1) { /* between two calls, too */
		if (status == -2)
			continue;
		if (status == LUA_OK)
			status = il_call(L, 0, LUA_MULTRET);
		if (status == LUA_OK)
			print_results(L);
		else
			il_call_report(L, status);
	}
	il_call_release_interrupt();
	lua_settop(L, 0);
	lua_writeline();
}
