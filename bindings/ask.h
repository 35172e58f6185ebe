/* SPDX-License-Identifier: MIT
 *
 * Calls whose answer comes from another machine: see struct il_remote in engines/engine.h.
 * Floor 4.
 */
#ifndef IL_ASK_H
#define IL_ASK_H

#include "bind.h"
#include "engines/engine.h"

#include <lua.h>
#include <stddef.h>

/* After a function of an engine's has returned EINPROGRESS: waits for the answer, then calls `again` with the stack as
 * it is now, which calls the same function again. Returns what the C function must return. The userdata at index
 * `handle` is an IL_ASKER: behind its struct il_object is a pointer to the engine's object, NULL once it is closed
 * (then: nil, "closed"). Raises where nothing can wait; what was asked for is done all the same. On this machine it
 * blocks there. */
#define IL_ASKER(type, member) _Static_assert(offsetof(type, member) == sizeof(struct il_object), "see il_ask")
int il_ask(lua_State *L, int handle, lua_CFunction again);

/* The same where the results are not those of a method: `again` is called for a closed handle, too, and raises. */
int il_ask_or_raise(lua_State *L, int handle, lua_CFunction again);

/* nil, "noun what: why, as the other machine put it", errno; or what il_object_fail makes of it. ECONNABORTED: a change
 * that was asked for may or may not have happened. */
int il_remote_fail(lua_State *L, int err, const struct il_remote *remote, const char *noun, const char *what);

/* For a constructor that is done: warns if the other machine may remove the object as it likes. */
void il_remote_warn(lua_State *L, const struct il_remote *remote, const char *noun, const char *what);

#endif
