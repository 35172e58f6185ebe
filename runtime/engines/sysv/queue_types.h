/* SPDX-License-Identifier: MIT
 *
 * The operations of a process that wait for messages of a System V queue, found by the type that they ask for. There
 * may be many: a server's tasks, each with a type of its own for the answers.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_TYPES_H
#define IL_SYSV_QUEUE_TYPES_H

#include "engines/sysv/queue.h"

#include <stdbool.h>
#include <stdint.h>

void il_msg_types_init(struct il_msg_object *o);
void il_msg_types_fini(struct il_msg_object *o);

/* Those that ask for exactly this, as receive does: 0 and negative numbers are types of their own here. NULL: none. */
struct il_msg_waiters *il_msg_of_type(const struct il_msg_object *o, long type);

/* The same, made if need be; an empty one stays for a while. NULL: no memory. */
struct il_msg_waiters *il_msg_make_type(struct il_msg_object *o, long type, const struct il_blocking_queue_type *waits);

/* Does a receive that asks for `wanted` take a message of this type? */
static inline bool il_msg_asks_for(int64_t wanted, long type)
{
	return wanted == 0 || wanted == type || (wanted < 0 && type <= -wanted);
}

#endif
