/* SPDX-License-Identifier: MIT
 *
 * The methods of ipc.Queue about jobs: how they are sent and taken, and the dead letters.
 * Floor 4.
 */
#ifndef IL_QUEUE_JOBS_H
#define IL_QUEUE_JOBS_H

#include "queue_handle.h"

#include <lua.h>
#include <stdbool.h>

int il_queue_take(lua_State *L);
int il_queue_work(lua_State *L);
int il_queue_dead(lua_State *L);
int il_queue_revive(lua_State *L);
int il_queue_drop(lua_State *L);

/* queue:send(type, message, timeout, how), with something at 5. */
int il_queue_send_job(lua_State *L);

/* For the script: take; nil, "closed" if the queue is closed already. */
int il_queue_take_next(lua_State *L);

/* Is there such an option in the copy at arg? */
bool il_queue_has_job_option(lua_State *L, int arg);

/* What the options of the table at arg say of jobs: attempts, deaths, backoff, within, keep. Raises. */
void il_queue_job_options(lua_State *L, int arg, struct il_queue_handle *q);

#endif
