/* SPDX-License-Identifier: MIT
 *
 * What objects behind a key have in common: how their failures are told, and their mode.
 * Floor 4.
 */
#ifndef IL_KEY_OBJECT_H
#define IL_KEY_OBJECT_H

#include "engines/engine.h"

#include <lua.h>

/* The number of the object on a board: the same for all handles of it, and in forked children. */
uint64_t il_key_identity(const struct il_key *key, const char *noun);

/* The same of a path. */
uint64_t il_path_identity(const char *path);

/* nil, "noun key: reason", errno. */
int il_key_fail(lua_State *L, int err, const char *noun, const struct il_key *key);

/* What a call on an engine's object returns that failed: nil and "removed", "closed", or a message, with what the
 * engine has to say, and errno. ECONNABORTED: a change that was asked for may or may not have happened. */
int il_shared_fail(lua_State *L, int err, const void *object, const char *noun, const char *what);

/* Before il_key_fail, for an operation `open` that has failed. */
void il_note_why(int err, const void *object);

/* For a constructor that is done: what the engine warns of. */
void il_warn_shared(lua_State *L, const struct il_shared *shared, const char *noun, const char *what);

/* The option mode= of the table at arg: as chmod writes it, 0660 or "0660"; 0600 without. With create = false it is
 * IL_MODE_EXISTING. Raises. */
unsigned il_mode_option(lua_State *L, int arg);

/* The option `sync`. */
enum il_sync il_sync_option(lua_State *L, int arg);

/* 0; ENOTSUP, and why: the key's engine does not know it. */
int il_check_sync(const struct il_key *key, enum il_sync sync);

#endif
