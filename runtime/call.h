/* SPDX-License-Identifier: MIT
 *
 * How the program and its prompt call Lua: errors have a traceback and go to stderr, Ctrl-C interrupts.
 * Floor 5.
 */
#ifndef IL_CALL_H
#define IL_CALL_H

#include <lua.h>
#include <stdbool.h>

/* What errors begin with; NULL: nothing, as at the prompt. */
void il_call_name(const char *name);

/* Prints an error. */
void il_call_complain(const char *text);

/* Calls the function below its nargs arguments, with a traceback on error, and interrupted by Ctrl-C. */
int il_call(lua_State *L, int nargs, int nresults);

/* Lets Ctrl-C raise in Lua, once: true; false if it is caught already, ignored or trapped. And back. */
bool il_call_catch_interrupt(void);
void il_call_release_interrupt(void);

/* Prints the error at the top, if status is one, and pops it; returns status. */
int il_call_report(lua_State *L, int status);

#endif
