/* SPDX-License-Identifier: MIT
 *
 * The engine of shared memory: objects in /dev/shm, or in memory without a name that forked children share.
 * Floor 2.
 */
#ifndef IL_SHM_H
#define IL_SHM_H

#include "engines/engine.h"

enum { IL_NAME_MAX = 200 };

extern const struct il_engine il_shm;

int il_shm_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_shm_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l);
int il_shm_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);
int il_shm_memory(const struct il_key *key, struct il_memory_options *o, struct il_memory **m);

/* Of a queue's segment, which has this capacity. */
size_t il_shm_queue_size(size_t capacity);

/* 0, or EINVAL: not a name for a key. */
int il_shm_check_name(const char *name);

#endif
