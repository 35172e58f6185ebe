/* SPDX-License-Identifier: MIT
 *
 * What is said first on a connection. Floor 2.
 */
#ifndef IL_REDIS_GREETING_H
#define IL_REDIS_GREETING_H

#include "engines/redis/client/server.h"

/* Sends it; calls il_server_greeted when all is answered, or il_server_fault. */
void il_greeting_send(struct il_server *s);

#endif
