/* SPDX-License-Identifier: MIT
 *
 * What calls of queues on disk do: one kind for each operation of struct il_queue_ops, and some for what has no
 * operation.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_KINDS_H
#define IL_DISK_QUEUE_KINDS_H

#include "engines/disk/queue_call.h"

extern const struct il_dq_kind il_dq_open, il_dq_send, il_dq_receive, il_dq_peek, il_dq_stat, il_dq_remove,
	il_dq_send_many, il_dq_receive_many, il_dq_take, il_dq_finish, il_dq_dead, il_dq_revive, il_dq_drop;

/* Is there room? Then it goes on as il_dq_send, which does not wait: the case of a select. */
extern const struct il_dq_kind il_dq_claim;

/* What the handle has taken is released. */
extern const struct il_dq_kind il_dq_release;

/* Processes have ended. */
extern const struct il_dq_kind il_dq_bereave;

#endif
