/* SPDX-License-Identifier: MIT
 *
 * What becomes of a job of a queue in shared memory when the latches cannot be had now, since a process stands still
 * with them. It is said once and holds: so it is kept, and done as soon as the latches can be had. Floor 2: no lua.h.
 */
#ifndef IL_SHM_QUEUE_LATER_H
#define IL_SHM_QUEUE_LATER_H

#include "engines/shm/queue_object.h"

void il_shm_queue_later_init(struct il_shm_queue_later *l);

/* The segment goes. */
void il_shm_queue_later_fini(struct il_shm_queue_later *l);

/* Keeps what an operation finish says; that is done then, if it waits. 0 or ENOMEM. */
int il_shm_queue_later_add(struct il_shm_queue *o, struct il_op *op, bool waits);

/* For cancel of the operation: it waits no more. */
void il_shm_queue_later_forget(struct il_op *op);

/* A handle is closed: its operations end with ECANCELED; with `release` the jobs are to be released that were taken
 * with it, of which nothing else was said. */
void il_shm_queue_later_close(struct il_shm_queue_handle *handle, bool release);

#endif
