/* SPDX-License-Identifier: MIT
 *
 * What the classes of signals share.
 * Floor 4.
 */
#ifndef IL_SIGNAL_INFO_H
#define IL_SIGNAL_INFO_H

#include <lua.h>

struct il_siginfo;
/* Pushes {name=, number=, pid=, uid=, value=}. */
void il_push_siginfo(lua_State *L, const struct il_siginfo *info);

/* Pushes why it can only be sent; NULL and nothing: it can be caught. */
const char *il_push_signal_refusal(lua_State *L, int number);

/* Raises if the signal can be sent only; returns its number. */
int il_check_catchable(lua_State *L, int number, int arg);

#endif
