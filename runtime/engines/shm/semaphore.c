/* SPDX-License-Identifier: MIT
 *
 * Semaphores in shared memory.
 * Floor 2.
 */
#include "engines/shm/lock.h"
#include "engines/shm/shm.h"

static const struct il_segment_type type = {
	"semaphore",
	il_shm_lock_new,
	il_shm_lock_init,
	il_shm_lock_check,
	il_shm_lock_mapped,
	il_shm_lock_unmapped,
	il_shm_lock_recover,
};

static const struct il_lock_ops ops = {
	.acquire = { "semaphore acquire", il_shm_lock_attempt, il_shm_lock_start, il_shm_lock_cancel },
	.release = { "semaphore release", il_shm_lock_release, NULL, NULL },
	.value = { "semaphore value", il_shm_lock_value, NULL, NULL },
	.remove = { "semaphore remove", il_shm_lock_remove, NULL, NULL },
	.close = il_shm_lock_close,
};

int il_shm_semaphore(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	return il_shm_lock_open(key, o, &type, &ops, l);
}
