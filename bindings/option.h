/* SPDX-License-Identifier: MIT
 *
 * Tables of options. `names` is the list of those that a call knows, with a NULL behind it.
 * Floor 4.
 */
#ifndef IL_OPTION_H
#define IL_OPTION_H

#include <lua.h>
#include <stdbool.h>

/* The table at arg makes place for a copy with what it says for the names, be it by a metatable, so that nothing of the
 * user's runs later; none and nil are no options. Raises if it is no table, or has other names. */
void il_options(lua_State *L, int arg, const char *const *names);

/* Raises if the name at the top of the stack is not in the list. */
void il_check_option_name(lua_State *L, int arg, const char *const *names);

/* The value in the copy; pushes it, returns its type. */
int il_option(lua_State *L, int arg, const char *name);

/* Raises: an option has the value at the top, which is not what is wanted: "limit must be bytes, 1 or more". The text
 * says what was given, too. */
int il_option_refuse(lua_State *L, int arg, const char *wanted);

/* The integer in the copy, from low to high; `otherwise` if it is nil. Raises: "name must be from low to high unit"; ""
 * is no unit. A string of digits is no number, here and in what follows. */
lua_Integer il_option_integer(lua_State *L, int arg, const char *name, lua_Integer low, lua_Integer high,
	const char *unit, lua_Integer otherwise);

/* The number in the copy; false: it is nil. NAN: it is no number. Pushes it, if it is not nil. */
bool il_option_number(lua_State *L, int arg, const char *name, lua_Number *number);

/* For the scripts: (given, {names...} [, where]) → a copy | nil, "unknown option 'where.name'; it knows names..." */
int il_script_options(lua_State *L);

#endif
