/* SPDX-License-Identifier: MIT
 *
 * Mutexes in shared memory: one permit, and who has it.
 * Floor 2.
 */
#include "engines/shm/lock.h"
#include "engines/shm/shm.h"

static const struct il_segment_type type = {
	"mutex",
	il_shm_lock_new,
	il_shm_lock_init,
	il_shm_lock_check,
	il_shm_lock_mapped,
	il_shm_lock_unmapped,
	il_shm_lock_recover,
};

static const struct il_lock_ops ops = {
	.acquire = { "mutex acquire", il_shm_lock_attempt, il_shm_lock_start, il_shm_lock_cancel },
	.release = { "mutex release", il_shm_lock_release, NULL, NULL },
	.value = { "mutex value", il_shm_lock_value, NULL, NULL },
	.holder = { "mutex holder", il_shm_lock_holder, NULL, NULL },
	.remove = { "mutex remove", il_shm_lock_remove, NULL, NULL },
	.close = il_shm_lock_close,
};

int il_shm_mutex(const struct il_key *key, struct il_lock_options *o, struct il_lock **l)
{
	o->max = 1;
	return il_shm_lock_open(key, o, &type, &ops, l);
}
