/* SPDX-License-Identifier: MIT
 *
 * Time, see clock.h.
 */
#include "base/clock.h"

#include <math.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * IL_SECOND + t.tv_nsec;
}

int64_t il_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t il_wall_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t il_coarse(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t il_wall_coarse(void)
{
	return read_clock(CLOCK_REALTIME_COARSE);
}

int64_t il_cpu_time(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int64_t il_nanoseconds(double seconds)
{
	double ns = ceil(seconds * 1e9);
	return ns < 9.2e18 ? (int64_t)ns : IL_NEVER;
}

int64_t il_time_add(int64_t a, int64_t b)
{
	return a > IL_NEVER - b ? IL_NEVER : a + b;
}

struct timespec il_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / IL_SECOND), .tv_nsec = (long)(ns % IL_SECOND) };
}
