/* SPDX-License-Identifier: MIT
 *
 * flock(2). A handle is an open file description of its own, so two handles contend even in one process. The lock
 * belongs to the description, which a forked child shares: a child closes what it inherited, and opens its own when it
 * wants to lock.
 *
 * The kernel wakes the processes that sleep for the lock when it is released, and the process that released it can take
 * it again before they run: they would starve. So a release asks the kernel whether some process sleeps, and then this
 * process does not ask for the lock again until that one has had the time to take it. Floor 2.
 */
#include "base/clock.h"
#include "base/fork.h"
#include "engines/sysv/blocking_queue.h"
#include "engines/sysv/state.h"
#include "engines/sysv/sysv.h"
#include "os/file.h"
#include "os/lock_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ns: how long it does not ask, as long as it held the lock, within these bounds. */
enum { SHORTEST_PAUSE = 100000, LONGEST_PAUSE = 2000000 };

/* The queries take a fiftieth of the time. */
enum { QUERIES = 50 };

enum { MOST_TURNS = 8 }; /* between two readings of the clock */

struct file_lock {
	struct il_lock lock;
	struct il_list node; /* in the list of all */
	struct il_blocking_queue waits;
	int fd; /* -1: to be opened */
	int how; /* what is held: LOCK_EX, LOCK_SH or 0 */
	int holders; /* how many share it */
	int wanted; /* for the thread: the same for the first operation */
	unsigned mode;
	int64_t since; /* the last release, or when it was acquired after that if it had to wait */
	int turns; /* to take before the clock is read */
	int64_t query_at; /* when to query next whether a process waits */
	int64_t pause; /* until then it does not ask; or in the past */
	uint32_t generation; /* whose fd it is */
	struct stat file; /* that was opened last */
	char path[]; /* from the root on */
};

static void let_go(struct file_lock *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->how = f->holders = 0;
	f->generation = il_fork.generation;
}

static struct file_lock *file_lock(struct il_lock *l)
{
	struct file_lock *f = il_container_of(l, struct file_lock, lock);
	if (!il_fork_is_own(f->generation))
		let_go(f);
	return f;
}

static struct file_lock *of_line(struct il_blocking_queue *waits)
{
	return il_container_of(waits, struct file_lock, waits);
}

static int open_file(struct file_lock *f, const char *path)
{
	f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, f->mode);
	if (f->fd < 0 && (errno == EACCES || errno == EISDIR || errno == EROFS))
		f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return f->fd < 0 || fstat(f->fd, &f->file) ? errno : 0;
}

static bool is_removed(struct file_lock *f)
{
	struct stat st;
	return fstat(f->fd, &st) == 0 && st.st_nlink == 0;
}

static int how_of(const struct il_op *op)
{
	return op->lock.shared ? LOCK_SH : LOCK_EX;
}

static void hold(struct file_lock *f, int how)
{
	f->how = how;
	f->holders++;
}

/* A file that was removed and perhaps made anew is not the one that others lock now. */
static int attempt(struct il_blocking_queue *waits, struct il_op *op)
{
	struct file_lock *f = file_lock(op->source);
	int how = how_of(op), err = 0;
	if (f->how) {
		if (f->how != LOCK_SH || how != LOCK_SH)
			return EAGAIN;
		hold(f, how);
		return 0;
	}
	if (f->pause && !op->once && il_now() < f->pause) {
		waits->not_before = f->pause;
		return EAGAIN;
	}
	for (bool again = true; again && !err;) {
		if (f->fd < 0)
			err = open_file(f, f->path);
		while (!err && flock(f->fd, how | LOCK_NB))
			err = errno == EINTR ? 0 : errno;
		again = !err && is_removed(f);
		if (again)
			let_go(f);
	}
	if (!err)
		hold(f, how);
	return err; /* EWOULDBLOCK is EAGAIN */
}

/* What this handle holds itself no thread can wait for: release tries the operations. */
static int prepare(struct il_blocking_queue *waits, struct il_op *op)
{
	of_line(waits)->wanted = how_of(op);
	return of_line(waits)->how ? EAGAIN : 0;
}

static int block(struct il_blocking_queue *waits)
{
	struct file_lock *f = of_line(waits);
	struct timespec until = il_timespec(f->pause);
	int err = f->pause ? clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) : 0;
	if (err)
		return err;
	return flock(f->fd, f->wanted) ? errno : 0;
}

static int grant(struct il_blocking_queue *waits, struct il_op *op)
{
	struct file_lock *f = of_line(waits);
	if (!op) {
		flock(f->fd, LOCK_UN);
		return 0;
	}
	if (is_removed(f)) {
		let_go(f);
		return EIDRM;
	}
	f->since = il_now();
	hold(f, how_of(op));
	return 0;
}

static bool acquire_attempt(struct il_op *op)
{
	return il_blocking_queue_attempt(&file_lock(op->source)->waits, op);
}

static int acquire_start(struct il_op *op)
{
	il_blocking_queue_start(&file_lock(op->source)->waits, op);
	return 0;
}

static bool acquire_cancel(struct il_op *op)
{
	struct il_lock *l = op->source;
	return il_blocking_queue_cancel(&il_container_of(l, struct file_lock, lock)->waits, op);
}

/* Before the lock is released: the processes that it wakes are not in the table any more. The clock, too, is read less
 * often where turns are short. */
static void query_waiters(struct file_lock *f)
{
	f->pause = 0;
	if (--f->turns > 0)
		return;
	int64_t now = il_now(), held = now - f->since;
	bool awaited = now >= f->query_at && il_flock_awaited(f->file.st_ino);
	f->since = now >= f->query_at ? il_now() : now;
	if (awaited)
		f->pause = f->since +
			(held < SHORTEST_PAUSE                 ? SHORTEST_PAUSE
					: held > LONGEST_PAUSE ? LONGEST_PAUSE
							       : held);
	else if (now >= f->query_at)
		f->query_at = f->since + QUERIES * (f->since - now);
	f->turns = awaited || held > SHORTEST_PAUSE ? 1 : MOST_TURNS;
}

static int release(struct file_lock *f)
{
	if (!f->how)
		return EPERM;
	if (--f->holders == 0) {
		query_waiters(f);
		f->how = 0;
		while (flock(f->fd, LOCK_UN))
			if (errno != EINTR)
				return errno;
	}
	il_blocking_queue_retry(&f->waits);
	return 0;
}

static bool release_attempt(struct il_op *op)
{
	op->err = release(file_lock(op->source));
	return true;
}

/* What has this path now may be another's file. */
static int remove_file(struct file_lock *f)
{
	struct stat st;
	if (stat(f->path, &st))
		return errno;
	if (!il_file_same(&st, &f->file))
		return EIDRM;
	return unlink(f->path) ? errno : 0;
}

static bool remove_attempt(struct il_op *op)
{
	op->err = remove_file(file_lock(op->source));
	return true;
}

static void close_lock(struct il_lock *l)
{
	struct file_lock *f = file_lock(l);
	il_blocking_queue_close(&f->waits, l);
	let_go(f);
	il_list_del(&f->node);
	free(f);
}

static const struct il_blocking_queue_type waits_type = {
	.attempt = attempt,
	.prepare = prepare,
	.block = block,
	.grant = grant,
	.specific = true,
};

static const struct il_lock_ops ops = {
	.acquire = { "file lock acquire", acquire_attempt, acquire_start, acquire_cancel },
	.release = { "file lock release", release_attempt, NULL, NULL },
	.remove = { "file lock remove", remove_attempt, NULL, NULL },
	.close = close_lock,
};

/* The parent's locks are not kept alive by our descriptors. */
static void begin_anew(void)
{
	il_list_each(struct file_lock, l, &il_sysv_state()->file_locks, node)
		let_go(l);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_REMOTE, .anew = begin_anew };

int il_sysv_file_lock(const char *path, struct il_lock_options *o, struct il_lock **l)
{
	char absolute[PATH_MAX];
	if (strlen(path) >= sizeof absolute)
		return ENAMETOOLONG;
	il_file_absolute(absolute, path);
	struct file_lock *f = calloc(1, sizeof *f + strlen(absolute) + 1);
	if (!f)
		return ENOMEM;
	strcpy(f->path, absolute);
	f->mode = o->mode;
	f->generation = il_fork.generation;
	f->lock.ops = &ops;
	il_blocking_queue_init(&f->waits, &waits_type);
	int err = open_file(f, path);
	if (err) {
		free(f);
		return err;
	}
	il_list_add(&il_sysv_state()->file_locks, &f->node);
	il_fork_add(&fork_hook);
	*l = &f->lock;
	return 0;
}
