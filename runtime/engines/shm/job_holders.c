/* SPDX-License-Identifier: MIT
 *
 * Slots of processes that take jobs, see job_holders.h. Floor 2.
 */
#include "engines/shm/job_holders.h"
#include "base/fork.h"
#include "os/identity.h"
#include "os/process_watch.h"

#include <errno.h>

uint32_t il_job_holders_used(const struct il_blocks *c)
{
	uint32_t used = il_get(&c->jobs->holders);
	return used < c->slots ? used : c->slots;
}

int il_job_holders_add(const struct il_blocks *c, uint32_t *slot)
{
	uint32_t used = il_job_holders_used(c), at = 0;
	while (at < used && il_get(&c->holders[at].pid))
		at++;
	if (at == c->slots)
		return EUSERS;
	il_put64(&c->holders[at].start, il_identity_start());
	il_put(&c->holders[at].pid, (uint32_t)il_fork.pid);
	if (at == used)
		il_put(&c->jobs->holders, used + 1);
	*slot = at;
	return 0;
}

void il_job_holders_del(const struct il_blocks *c, uint32_t slot)
{
	il_put(&c->holders[slot].pid, 0);
}

bool il_job_holders_other(const struct il_blocks *c, uint32_t slot, pid_t *pid, uint64_t *start)
{
	*pid = (pid_t)il_get(&c->holders[slot].pid);
	*start = il_get64(&c->holders[slot].start);
	return *pid && !(*pid == il_fork.pid && *start == il_identity_start());
}

bool il_job_holders_find_dead(const struct il_blocks *c, struct il_holder_set *dead)
{
	bool any = false;
	*dead = (struct il_holder_set){ .used = il_job_holders_used(c) };
	for (uint32_t i = 0; i < dead->used; i++) {
		pid_t pid;
		uint64_t start;
		bool ended = il_job_holders_other(c, i, &pid, &start) && il_process_watch_ended(pid, start);
		any |= ended;
		if (ended || !pid)
			dead->bits[i / 64] |= (uint64_t)1 << i % 64;
	}
	return any;
}
