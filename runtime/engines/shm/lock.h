/* SPDX-License-Identifier: MIT
 *
 * What semaphore and mutex have in common here: a segment with a record for each process that holds. The permits are
 * what the records leave; a record whose process has ended is struck out by whoever wants a permit. Floor 2.
 */
#ifndef IL_SHM_LOCK_H
#define IL_SHM_LOCK_H

#include "engines/shm/wait.h"

int il_shm_lock_open(const struct il_key *key, struct il_lock_options *o, const struct il_segment_type *type,
	const struct il_lock_ops *ops, struct il_lock **l);

/* The functions of an il_segment_type. */
struct il_segment *il_shm_lock_new(void);
void il_shm_lock_init(struct il_head *head, void *options);
int il_shm_lock_check(struct il_segment *s, void *options);
void il_shm_lock_mapped(struct il_segment *s);
void il_shm_lock_unmapped(struct il_segment *s);
int il_shm_lock_recover(struct il_segment *s);

/* The functions of an il_lock_ops. */
bool il_shm_lock_attempt(struct il_op *op);
int il_shm_lock_start(struct il_op *op);
bool il_shm_lock_cancel(struct il_op *op);
bool il_shm_lock_release(struct il_op *op);
bool il_shm_lock_value(struct il_op *op);
bool il_shm_lock_holder(struct il_op *op);
bool il_shm_lock_remove(struct il_op *op);
void il_shm_lock_close(struct il_lock *l);

#endif
