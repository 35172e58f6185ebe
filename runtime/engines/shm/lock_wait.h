/* SPDX-License-Identifier: MIT
 *
 * Taking permits in shared memory (permits.h), and waiting for them. Floor 2.
 */
#ifndef IL_SHM_LOCK_WAIT_H
#define IL_SHM_LOCK_WAIT_H

#include "engines/shm/permits.h"

/* For an operation of a lock: takes a permit. */
bool il_shm_lock_attempt(struct il_op *op);
int il_shm_lock_start(struct il_op *op);
bool il_shm_lock_cancel(struct il_op *op);

/* Of the process's own part of a segment that was mapped, or goes. */
void il_shm_lock_wait_init(struct il_shm_lock *o);
void il_shm_lock_wait_fini(struct il_shm_lock *o);

#endif
