/* SPDX-License-Identifier: MIT
 *
 * Keys for the constructors of what they name.
 * Floor 4.
 */
#ifndef IL_KEY_H
#define IL_KEY_H

#include "engines/engine.h"

#include <lua.h>

/* The key at 1; a text there makes place for its key. Raises if there is none, with the reason that followed a nil:
 * nil, message, errno is what a function says that could not make a key. */
const struct il_key *il_check_key(lua_State *L);

#endif
