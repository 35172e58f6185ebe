/* SPDX-License-Identifier: MIT
 *
 * Waiting for room in a queue. Processes that sleep are in a table of their own (engines/waiters.h), and room calls the
 * first of them. One that has sent, and one that cannot since its message is too long, calls the next one that room is
 * left for.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_ROOM_H
#define IL_SHM_QUEUE_ROOM_H

#include "engines/shm/queue_object.h"

/* For mapped, unmapped, repair and wake_all of the segment's type. */
void il_shm_queue_room_init(struct il_shm_queue *o);
void il_shm_queue_room_fini(struct il_shm_queue *o);

/* Before messages are taken, with the receivers' latch; with both, if senders sleep: it wakes them. */
void il_shm_queue_make_room(struct il_shm_queue *o);

/* For the wait queue of those that send, as in wait_queue.h. needed: bytes of the first one's message. */
int il_shm_queue_room_enter(struct il_wait_queue *waits);
uint32_t *il_shm_queue_room_note(struct il_shm_queue *o, uint64_t needed, bool served, bool park, uint32_t *expected);
int il_shm_queue_room_park(struct il_wait_queue *waits);
void il_shm_queue_room_unpark(struct il_wait_queue *waits);

#endif
