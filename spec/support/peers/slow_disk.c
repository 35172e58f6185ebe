/* SPDX-License-Identifier: MIT
 *
 * A disk that takes its time, in front of the C library (LD_PRELOAD).
 */
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

int fdatasync(int fd)
{
	nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}
