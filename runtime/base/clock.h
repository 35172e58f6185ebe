/* SPDX-License-Identifier: MIT
 *
 * Time: int64 nanoseconds of CLOCK_MONOTONIC; a deadline is an absolute time, IL_NEVER is none. Sums saturate, and
 * seconds are rounded up when they become nanoseconds, so that no wait ends early.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_CLOCK_H
#define IL_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define IL_NEVER INT64_MAX
#define IL_SECOND INT64_C(1000000000)

int64_t il_now(void);

/* Of the wall clock, CLOCK_REALTIME: for what outlives the process, or comes from elsewhere. It may be set back. */
int64_t il_wall_now(void);

/* The same as of the last tick of the kernel, some milliseconds ago: in a quarter of the time. */
int64_t il_wall_coarse(void);
int64_t il_coarse(void); /* of il_now */

/* How long this thread has had a processor. Costs a system call. */
int64_t il_cpu_time(void);

/* Seconds (not negative, not NaN) as nanoseconds, IL_NEVER for what is over 290 years. */
int64_t il_nanoseconds(double seconds);

/* a + b for a, b >= 0, IL_NEVER if that is more than fits. */
int64_t il_time_add(int64_t a, int64_t b);

struct timespec il_timespec(int64_t ns);

#endif
