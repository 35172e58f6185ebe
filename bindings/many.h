/* SPDX-License-Identifier: MIT
 *
 * Many messages at once: what channels, hubs and queues have in common.
 * Floor 4.
 */
#ifndef IL_MANY_H
#define IL_MANY_H

#include <lua.h>

enum { IL_MANY_NAME = 40 };

/* A message as it stands in the call: "messages[3]"; "message" without an index. */
const char *il_many_name(lua_Integer index, char text[IL_MANY_NAME]);

/* How many messages the list at arg has. Raises if it has anything else, as far as that is seen at its end: of a table
 * that was written as a list, always. */
lua_Integer il_many_check_list(lua_State *L, int arg);

/* Message i of the list, which was just pushed, is none: raises. */
int il_many_hole(lua_State *L, int arg, lua_Integer i);

/* How many messages are wanted at most, at arg. Raises. */
lua_Integer il_many_check_max(lua_State *L, int arg);

/* For how many of these a list is to have room from the start. */
int il_many_room(lua_Integer max);

/* The lists from `lists` to the top have what was waited for. Calls add(lists..., source, max) for what is there
 * behind it; if there is no memory for more, what was taken is not lost. Returns how many lists. Raises. */
int il_many_collect(lua_State *L, lua_CFunction add, int lists, void *source, lua_Integer max);

#endif
