/* SPDX-License-Identifier: MIT
 *
 * Identities, see identity.h: what /proc tells of processes, across pid and time namespaces. Floor 1b.
 */
#include "os/identity.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct il_identity_own il_identity_own;

/* What else there is to know of this process. */
static struct {
	int64_t shift; /* ticks by which /proc shows starts later to us than they are in the first time namespace */
	bool numbered; /* /proc has our numbers: it can be that of a pid namespace further out */
} proc;

/* Of the namespaces that a machine starts with (linux/proc_ns.h). */
enum { FIRST_TIME = 0xEFFFFFFA, FIRST_PID = 0xEFFFFFFC };

enum { TICK = 10000000 }; /* ns; USER_HZ is 100 everywhere */

/* A file as a text; empty without. 0 or errno. */
static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	int err = n < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return err;
}

/* Fields 3, 14 + 15, 20 and 22 of /proc/PID/stat. */
struct facts {
	char state;
	unsigned long long ran; /* in ticks */
	long threads;
	unsigned long long start;
};

/* The name in field 2 may have anything in it but ends with the last ")". 0, or errno and all zero. */
static int read_facts(const char *path, struct facts *f)
{
	char text[1024];
	unsigned long long user, system;
	int err = read_file(path, text, sizeof text);
	const char *at = strrchr(text, ')');
	if (!at ||
		sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %ld %*d %llu",
			&f->state, &user, &system, &f->threads, &f->start) != 5) {
		*f = (struct facts){ 0 };
		return err ? err : ESRCH;
	}
	f->ran = user + system;
	return 0;
}

static uint64_t namespace(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t il_identity_space(void)
{
	static uint32_t generation;
	static uint64_t space;
	if (!il_fork_is_own(generation))
		space = namespace("/proc/self/ns/pid");
	generation = il_fork.generation;
	return space;
}

int il_identity_require(void)
{
	return il_identity_space() ? 0 : il_because(ENOENT, "/proc is not mounted, by which processes are told apart");
}

/* The file tells of the namespace that children will have. A process that has made another one for them cannot know its
 * own any more: ESRCH. */
static int learn_shift(int64_t *shift)
{
	char text[256];
	long long seconds = 0, ns = 0;
	uint64_t time = namespace("/proc/self/ns/time");
	*shift = 0;
	if (!time || time == FIRST_TIME)
		return 0;
	if (time != namespace("/proc/self/ns/time_for_children"))
		return ESRCH;
	int err = read_file("/proc/self/timens_offsets", text, sizeof text);
	const char *at = strstr(text, "boottime");
	if (err || !at || sscanf(at, "boottime %lld %lld", &seconds, &ns) != 2)
		return err ? err : ESRCH;
	*shift = seconds * (IL_SECOND / TICK) + ns / TICK;
	return 0;
}

/* NSpid has a process's numbers from that namespace inwards of which /proc is. */
static int learn_numbered(bool *numbered)
{
	char text[4096];
	int first, second;
	*numbered = il_identity_space() == FIRST_PID;
	if (*numbered)
		return 0;
	int err = read_file("/proc/self/status", text, sizeof text);
	const char *at = strstr(text, "NSpid:");
	*numbered = at && sscanf(at, "NSpid:%d%*[\t]%d", &first, &second) == 1 && first == il_fork.pid;
	return err;
}

int il_identity_find_out(void)
{
	struct facts f;
	int64_t shift;
	bool numbered;
	int unknown = learn_shift(&shift), err = unknown;
	if (!il_is_shortage(err))
		err = learn_numbered(&numbered);
	if (!il_is_shortage(err))
		err = read_facts("/proc/self/stat", &f);
	if (il_is_shortage(err))
		return err;
	proc.shift = shift;
	proc.numbered = numbered && !unknown;
	il_identity_own.start = unknown || err ? 0 : f.start - (uint64_t)shift;
	il_identity_own.generation = il_fork.generation;
	return 0;
}

/* A file of /proc/PID, where that is the process which we know by this number. */
static bool path_of(char path[48], pid_t pid, const char *name)
{
	snprintf(path, 48, "/proc/%d/%s", (int)pid, name);
	return il_identity_learn() == 0 && proc.numbered;
}

static bool facts_of(pid_t pid, struct facts *f)
{
	char path[48];
	*f = (struct facts){ 0 };
	if (!path_of(path, pid, "stat") || read_facts(path, f))
		return false;
	f->start -= (uint64_t)proc.shift;
	return true;
}

uint64_t il_identity_start_of(pid_t pid)
{
	struct facts f;
	return facts_of(pid, &f) ? f.start : 0;
}

/* The two are of the same kind, and a tick apart where they were rounded in different namespaces. */
static bool differ(uint64_t a, uint64_t b)
{
	return a && b && a - b + 1 > 2;
}

/* It started at another time than that which was noted, so it is another process that has the number now. Unless our
 * own time has changed: a checkpoint that was restored gives new ones to all. */
static bool is_another(uint64_t noted, uint64_t start)
{
	struct facts f;
	return differ(noted, start) && read_facts("/proc/self/stat", &f) == 0 &&
		!differ(il_identity_own.start, f.start - (uint64_t)proc.shift);
}

/* To the nanosecond, where the kernel keeps that. */
uint64_t il_identity_ran(pid_t pid)
{
	char path[48], text[64] = "";
	struct facts f;
	if (path_of(path, pid, "schedstat"))
		read_file(path, text, sizeof text);
	uint64_t ran = strtoull(text, NULL, 10);
	if (!ran)
		facts_of(pid, &f);
	return ran ? ran : f.ran;
}

enum il_identity il_identity_check(pid_t pid, uint64_t start)
{
	struct facts f;
	if (!facts_of(pid, &f))
		return IL_IDENTITY_UNKNOWN;
	if (is_another(start, f.start))
		return IL_IDENTITY_ANOTHER;
	return (f.state == 'Z' || f.state == 'X') && f.threads <= 1 ? IL_IDENTITY_ZOMBIE : IL_IDENTITY_SAME;
}
