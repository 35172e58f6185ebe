/* SPDX-License-Identifier: MIT
 *
 * How long a job may take, the option within= of its queue. When that is over, the task that took it gets the error
 * "late" (sched/late.h), and again after the same time, for code that has caught it and goes on.
 * Floor 4.
 */
#ifndef IL_JOB_LIMIT_H
#define IL_JOB_LIMIT_H

#include "loop/timer.h"
#include "sched/late.h"

#include <stdint.h>

struct il_job_handle;

struct il_job_time_limit {
	struct il_timer timer;
	struct il_late late;
	struct il_job_handle *job;
};

void il_job_limit_init(struct il_job_time_limit *limit, struct il_job_handle *job);

/* From now on, for so many ns. 0 or ENOMEM. */
int il_job_limit_start(struct il_job_time_limit *limit, int64_t within);

/* The job has had its word. Harmless the second time. */
void il_job_limit_stop(struct il_job_time_limit *limit);

#endif
