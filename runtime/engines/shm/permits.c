/* SPDX-License-Identifier: MIT
 *
 * Permits, see permits.h. Floor 2.
 */
#include "engines/shm/permits.h"
#include "engines/waiters_call.h"
#include "os/process_watch.h"

/* Before `count` permits become free. */
static void call(struct il_shm_lock *o, uint32_t count)
{
	struct il_shm_permits *p = il_shm_lock_shared(o);
	uint32_t taken = il_get(&p->taken), left = taken > count ? taken - count : 0;
	il_waiters_call(&o->waiters, 0, left < o->max ? o->max - left : 0);
	il_shm_calls_note(&o->calls);
}

static inline void announce(struct il_shm_lock *o, uint32_t count)
{
	il_segment_change(&o->segment, IL_SHM_LOCK_PARKED);
	if (il_get(&o->segment.head->parked) & IL_LISTED)
		call(o, count);
}

/* That they died is written down first. */
void il_shm_permits_clear_dead(struct il_shm_lock *o)
{
	struct il_shm_permits *p = il_shm_lock_shared(o);
	for (uint32_t i = 0; i < il_shm_permits_used(o); i++) {
		struct il_shm_permit_record *r = &p->records[i];
		if (!r->count || il_shm_permits_is_own(r) || !il_process_watch_ended((pid_t)r->pid, r->start))
			continue;
		announce(o, r->count);
		il_put(&p->abandoned, o->reports);
		il_shm_permits_set(p, r, 0);
	}
}

struct il_shm_permit_record *il_shm_permits_find_record(struct il_shm_lock *o)
{
	struct il_shm_permits *p = il_shm_lock_shared(o);
	struct il_shm_permit_record *unused = NULL;
	uint32_t used = il_shm_permits_used(o);
	for (uint32_t i = 0; i < used; i++) {
		struct il_shm_permit_record *r = &p->records[i];
		if (r->count && il_shm_permits_is_own(r))
			return r;
		if (!r->count && !unused)
			unused = r;
	}
	if (!unused && used < o->records) {
		unused = &p->records[used];
		il_put(&unused->count, 0);
		il_put(&p->used, used + 1);
	}
	if (unused) {
		il_put(&unused->pid, (uint32_t)il_fork.pid);
		il_put64(&unused->start, il_identity_start());
	}
	return unused;
}

void il_shm_permits_give(struct il_shm_lock *o, uint32_t count, bool abandoned)
{
	struct il_shm_permit_record *r = il_shm_permits_own_record(o);
	if (!r || r->count < count)
		return;
	announce(o, count);
	if (abandoned && o->reports)
		il_put(&il_shm_lock_shared(o)->abandoned, 1);
	il_shm_permits_set(il_shm_lock_shared(o), r, r->count - count);
	o->waiters.took &= r->count != 0;
}
