/* SPDX-License-Identifier: MIT
 *
 * Time, see clock.h.
 */
#include "base/clock.h"

#include <math.h>

int64_t il_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * IL_SECOND + t.tv_nsec;
}

int64_t il_cpu_time(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * IL_SECOND + ts.tv_nsec;
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
