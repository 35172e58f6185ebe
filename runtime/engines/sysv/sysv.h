/* SPDX-License-Identifier: MIT
 *
 * The engine of file keys: System V semaphores, message queues and segments, and flock(2). Wire-compatible with C, PHP
 * and Python: nothing of ours is in a message or in front of a segment, and a semaphore set begins as PHP's sem_get
 * makes it. Floor 2: no lua.h.
 */
#ifndef IL_SYSV_H
#define IL_SYSV_H

#include "engines/engine.h"

extern const struct il_engine il_sysv;

/* ftok(3). EINVAL: the key is 0. */
int il_sysv_key(const char *path, int project, int32_t *id);

int il_sysv_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_sysv_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_sysv_file_lock(const char *path, struct il_lock_options *o, struct il_lock **l);
int il_sysv_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);
int il_sysv_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **m);

#endif
