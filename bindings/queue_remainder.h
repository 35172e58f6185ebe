/* SPDX-License-Identifier: MIT
 *
 * Messages that a handle has taken from its queue and that no call has returned yet: what receive_many took behind one
 * that cannot be decoded, or when memory was short. The next calls of the handle get them first.
 * Floor 4.
 */
#ifndef IL_QUEUE_REMAINDER_H
#define IL_QUEUE_REMAINDER_H

#include "engines/payloads.h"
#include "queue_handle.h"

#include <stdint.h>

/* From now on these messages are the handle's, behind those that it has. In a forked child it has none. */
void il_queue_remainder_add(struct il_queue_handle *q, struct il_payloads *all);

/* The message that receive would get; it stays. NULL: there is none. It is there until the next message is looked for.
 */
struct il_payload *il_queue_remainder_find(struct il_queue_handle *q, int64_t wanted);

enum { IL_QUEUE_REMAINDER_TAKEN = 0 }; /* instead of a type */

/* It is not there any more, and q->remainder.taken counts it. */
static inline void il_queue_remainder_take(struct il_queue_handle *q, struct il_payload *p)
{
	p->type = IL_QUEUE_REMAINDER_TAKEN;
	q->remainder.taken++;
}

/* Gives up the memory of those that were taken. */
void il_queue_remainder_tidy(struct il_queue_handle *q);

/* Before the handle is closed: the messages go back to the queue, behind those that are there, if they have room. */
void il_queue_remainder_close(struct il_queue_handle *q);

/* Operations on the queue, which are done at once if there is such a message, and else become those of the engine.
 * receive_many leaves the messages where they are. */
extern const struct il_op_type il_queue_remainder_receive, il_queue_remainder_peek, il_queue_remainder_receive_many;

#endif
