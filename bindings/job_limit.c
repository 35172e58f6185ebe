/* SPDX-License-Identifier: MIT
 *
 * How long a job may take, see job_limit.h. Floor 4.
 */
#include "job_limit.h"
#include "job.h"
#include "sched/preempt.h"

/* In the loop, or in the hook of busy code. */
static void time_is_over(struct il_timer *timer)
{
	struct il_job_time_limit *limit = il_container_of(timer, struct il_job_time_limit, timer);
	if (limit->job->state || !il_job_is_mine(limit->job))
		return;
	il_timer_start(timer, timer->interval);
	il_timer_arm(timer, false); /* cannot fail: it has just left a place */
	if (!limit->job->busy)
		il_late_post(&limit->late);
}

void il_job_limit_init(struct il_job_time_limit *limit, struct il_job_handle *job)
{
	*limit = (struct il_job_time_limit){ .job = job, .timer.expired = time_is_over };
	il_list_init(&limit->late.node);
	il_list_init(&limit->late.hold.node);
}

int il_job_limit_start(struct il_job_time_limit *limit, int64_t within)
{
	il_timer_start(&limit->timer, within);
	int err = il_timer_arm(&limit->timer, false);
	if (err)
		return err;
	il_late_init(&limit->late);
	il_preempt();
	return 0;
}

void il_job_limit_stop(struct il_job_time_limit *limit)
{
	il_timer_disarm(&limit->timer);
	il_late_fini(&limit->late);
}
