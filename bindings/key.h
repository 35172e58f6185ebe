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

/* nil, "noun key: reason", errno. */
int il_key_fail(lua_State *L, int err, const char *noun, const struct il_key *key);

/* What a call on an object returns that failed: nil and "removed", "closed", or a message and errno. */
int il_object_fail(lua_State *L, int err, const char *noun, const char *what);

/* The option mode= of the table at arg: as chmod writes it, 0660 or "0660"; 0600 without. Raises. */
unsigned il_mode_option(lua_State *L, int arg);

#endif
