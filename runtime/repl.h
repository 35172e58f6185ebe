/* SPDX-License-Identifier: MIT
 *
 * The prompt of ipclua. Floor 5.
 */
#ifndef IL_REPL_H
#define IL_REPL_H

#include <lua.h>
#include <stdbool.h>

/* Reads, evaluates and prints until the end of the input. While the prompt waits, tasks and timers go on. */
void il_repl(lua_State *L);

/* Calls the function below its nargs arguments, with a traceback on error, and interrupted by Ctrl-C. main.c's. */
int il_docall(lua_State *L, int nargs, int nresults);

/* Lets Ctrl-C raise in Lua, once: true; false if it is caught already, ignored or trapped. And back. main.c's. */
bool il_catch_interrupt(void);
void il_release_interrupt(void);

/* Prints the error at the top, if status is one, and pops it; returns status. main.c's. */
int il_report(lua_State *L, int status);

#endif
