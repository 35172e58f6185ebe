/* SPDX-License-Identifier: MIT
 *
 * Errors that users see: about a line of theirs, never about one of a script of ours (scripts/ipc), and with one
 * traceback.
 * Floor 3.
 */
#ifndef IL_SCHED_ERROR_H
#define IL_SCHED_ERROR_H

#include <lua.h>
#include <stdbool.h>

/* Of lua_getinfo(S): it is a function of a script of ours. */
bool il_is_script(const lua_Debug *ar);

/* luaL_error; but if a script of ours has called it, it names the user's line that called that. For what such a script
 * may call. */
int il_error(lua_State *L, const char *format, ...);

/* Pushes "file:line: " of the first line from this level on that is not a script's of ours; "" if there is none. */
void il_where_user(lua_State *L, int level);

/* Raises the error below the text at the top of the stack. The text is what is to be shown of it: it has the traceback
 * of the place where the error comes from, and no handler on its way adds another. */
int il_error_raise_as(lua_State *L);

/* Pushes that text for the error at `index`, and forgets it; false and nothing if it is any other error. For message
 * handlers. */
bool il_error_take_text(lua_State *L, int index);

/* Pushes the message and a traceback from this level on, in which a script of ours appears as one function in C. */
void il_traceback(lua_State *L, const char *message, int level);

/* Pushes what is to be shown of the error at `index`, which is positive: that text, or its own and a traceback from
 * this level on. A __tostring that fails does not take the error's place. For message handlers. */
void il_error_show(lua_State *L, int index, int level);

#endif
