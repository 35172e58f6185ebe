/* SPDX-License-Identifier: MIT
 *
 * Control files, see control.h. LMDB's own lock of writers is never contended: the lock of the control file is in front
 * of it, since that can be waited for with a limit, and covers more. Floor 2.
 */
#include "engines/disk/control.h"
#include "base/clock.h"
#include "base/shared_atomic.h"
#include "engines/disk/meta_page.h"
#include "os/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LAYOUT = 3, NAP = 200000 /* ns */ };

_Static_assert(sizeof(struct il_disk_control) <= IL_DISK_CONTROL_SIZE, "it is one page");

static const uint64_t MAGIC = 0x6b7369646c706920; /* " ipldisk" */
static const int64_t STANDS_STILL = 30 * IL_SECOND, SLICE = IL_SECOND / 10;

int il_disk_control_check(const struct il_disk_control *c)
{
	if (c->magic != MAGIC)
		return EINVAL;
	if (c->layout != LAYOUT)
		return EPROTO;
	return c->pids == il_identity_space() ? 0 : EXDEV;
}

static int begin_anew(struct il_disk_control *c)
{
	pthread_mutexattr_t attr;
	memset(c, 0, sizeof *c);
	int err = pthread_mutexattr_init(&attr);
	if (err)
		return err;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(&c->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	c->layout = LAYOUT;
	c->pids = il_identity_space();
	c->magic = MAGIC;
	return err;
}

size_t il_disk_boot_id(char text[64])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, 64);
	if (fd >= 0)
		close(fd);
	return size > 0 ? (size_t)size : 0;
}

/* 0: not known. */
static uint64_t find_boot(void)
{
	char text[64];
	size_t size = il_disk_boot_id(text);
	return size ? il_disk_hash(0, text, size) : 0;
}

int il_disk_control_map(int fd, bool alone, bool *same, struct il_disk_control **result)
{
	uint64_t boot = find_boot();
	void *at = mmap(NULL, IL_DISK_CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return errno;
	struct il_disk_control *c = *result = at;
	*same = c->magic == MAGIC && c->layout == LAYOUT && boot && c->boot == boot;
	int err = alone ? begin_anew(c) : 0;
	if (alone)
		c->boot = boot;
	return err ? err : il_disk_control_check(c);
}

/* What its owner has left undone, LMDB passes over. */
static int got(struct il_disk_control *c, int err)
{
	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&c->lock);
	if (!err)
		il_put(&c->turns, il_get(&c->turns) + 1);
	return err == ENOTRECOVERABLE ? EUCLEAN : err;
}

/* ThreadSanitizer knows only of pthread_mutex_trylock that a dead owner may have had the mutex. */
static int lock_within(pthread_mutex_t *lock, int64_t until)
{
#ifdef __SANITIZE_THREAD__
	int err = EBUSY;
	while (err == EBUSY && il_now() < until) {
		nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
		err = pthread_mutex_trylock(lock);
	}
	return err == EBUSY ? ETIMEDOUT : err;
#else
	struct timespec end = il_timespec(until);
	return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &end);
#endif
}

int il_disk_control_lock(struct il_disk_control *c)
{
	uint32_t turns = il_get(&c->turns);
	int64_t now = il_now(), end = now + STANDS_STILL;
	for (;; now = il_now()) {
		int err = pthread_mutex_trylock(&c->lock);
		if (err == EBUSY)
			err = lock_within(&c->lock, now + SLICE);
		if (err != ETIMEDOUT)
			return got(c, err);
		if (turns != il_get(&c->turns)) {
			turns = il_get(&c->turns);
			end = now + STANDS_STILL;
		}
		if (now > end)
			return ETIMEDOUT;
	}
}

void il_disk_control_unlock(struct il_disk_control *c)
{
	pthread_mutex_unlock(&c->lock);
}
