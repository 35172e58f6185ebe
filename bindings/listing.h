/* SPDX-License-Identifier: MIT
 *
 * What ipctl asks of the engines, for its scripts alone. Floor 4.
 */
#ifndef IL_LISTING_H
#define IL_LISTING_H

#include <lua.h>

/* Pushes a table of these functions. */
void il_push_listing(lua_State *L);

#endif
