/* SPDX-License-Identifier: MIT
 *
 * Handles that travel: channels and Lua files, as a descriptor and a text that says what it is.
 * Floor 4.
 */
#ifndef IL_HANDLE_H
#define IL_HANDLE_H

#include "stream/frame_reader.h"

#include <lua.h>

/* The descriptor of a Lua file (what it has buffered is written) or a number at arg. Raises. */
int il_handle_fd(lua_State *L, int arg);

/* The descriptor of the channel or file at arg; pushes the text. Raises. */
int il_handle_describe(lua_State *L, int arg);

enum { IL_HANDLE_TEXT = IL_FRAME_HANDLE_TEXT + 1 }; /* room for the text */

/* Pushes the object that the text describes; or nil, message, errno. The descriptor is taken over. */
int il_handle_push(lua_State *L, int fd, const char *text);

#endif
