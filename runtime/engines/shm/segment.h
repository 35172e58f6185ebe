/* SPDX-License-Identifier: MIT
 *
 * Objects in shared memory: a file in /dev/shm under the key's name, or memory without a name that forked children
 * share. A segment is made whole and then linked in, so no process finds it half-made; a name and a noun have at most
 * one. What is read from it is checked before use: other processes write there too, and may be wrong. Floor 2.
 */
#ifndef IL_SHM_SEGMENT_H
#define IL_SHM_SEGMENT_H

#include "base/table.h"
#include "base/fork.h"
#include "base/list.h"
#include "engines/engine.h"
#include "engines/shm/shm.h"
#include "os/patience.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* The first bytes of a segment. */
struct il_head {
	uint64_t magic;
	uint32_t layout; /* version of all that is laid out in segments */
	uint32_t latch;
	uint64_t size;
	uint64_t pids; /* the pid namespace in which its process numbers mean something */
	uint32_t creator; /* pid */
	uint32_t removed;
	uint32_t changes; /* futex: goes up before anything changes that others may wait for */
	uint32_t parked; /* bits of the queues that sleep on it, as the noun has them, and IL_LISTED */
	uint32_t told; /* the count of changes up to which all sleepers have been woken */
	uint32_t unused;
	char noun[16];
	char name[IL_NAME_MAX + 8];
};

/* Of head->parked: processes sleep on words of their own (engines/waiters.h). */
enum { IL_LISTED = 1 << 30 };

struct il_segment;

/* How a noun's segments are made and kept sound. */
struct il_segment_type {
	const char *noun;
	/* Allocates the process's own struct, all zero, which begins with a struct il_segment. */
	struct il_segment *(*new)(void);
	/* Fills a new one, which is all zero. */
	void (*init)(struct il_head *head, void *options);
	/* One that is there: 0; EEXIST: not what the options want; EUCLEAN: not sound. */
	int (*check)(struct il_segment *s, void *options);
	/* Begins and ends the process's own part. */
	void (*mapped)(struct il_segment *s);
	void (*unmapped)(struct il_segment *s);
	/* With the latch, after its owner died: makes it whole. 0 or EUCLEAN; ETIMEDOUT: not now. NULL: nothing to do.
	 */
	int (*recover)(struct il_segment *s);
	/* It is being removed: wakes the processes that sleep on other words than its count. NULL: there are none. */
	void (*wake_all)(struct il_segment *s);
};

struct il_segment {
	struct il_list node;
	struct il_table_item item; /* among those that have a file */
	const struct il_segment_type *type;
	struct il_head *head; /* shared */
	size_t size; /* as mapped: the one to believe */
	struct stat file; /* as it was when it was mapped; all zero without a name */
	int refs;
	uint32_t generation; /* that has found its pid namespace to be this one's */
	bool repaired; /* with the latch: its last owner died */
	struct il_patience patience; /* with the latch's owner */
	volatile bool lost; /* the file was cut short: what is mapped is zeros of our own */
	char name[IL_NAME_MAX + 1];
};

/* Opens the segment of a key, of `size` bytes if it is made now. It is counted: one mapping per object and process. 0
 * or errno; EUCLEAN: damaged, EPROTO: of another version, EXDEV: of another pid namespace, EINVAL: not a segment;
 * ENOENT: it is not there, and `mode` is IL_MODE_EXISTING. */
int il_segment_open(const struct il_key *key, const struct il_segment_type *type, size_t size, unsigned mode,
	void *options, struct il_segment **s);
void il_segment_drop(struct il_segment *s);

/* Is that the head of a segment of this noun and name, whose file has so many bytes? 0; EINVAL, EPROTO, EUCLEAN, EXDEV.
 */
int il_segment_check_head(const struct il_head *head, size_t size, const char *noun, const char *name);

/* 0; EUCLEAN: the file was cut short; EXDEV: as below. Part of the functions that take a latch. */
int il_segment_check_space(struct il_segment *s);

static inline int il_segment_usable(struct il_segment *s)
{
	return s->lost ? EUCLEAN : !il_fork_is_own(s->generation) ? il_segment_check_space(s) : 0;
}

/* Takes the latch, as il_latch and il_latch_soon do. EIDRM: it has been removed; EUCLEAN: damaged; EXDEV: this process
 * was forked into another pid namespace; ETIMEDOUT: a process inside stands still; soon, EAGAIN: not now. With an error
 * it is not had. */
int il_segment_enter(struct il_segment *s);
int il_segment_enter_soon(struct il_segment *s);
void il_segment_leave(struct il_segment *s);

/* With the latch, before a change is made that others may wait for: when the latch is left, they are woken. They
 * already sleep on the latch then: if this process dies before, the kernel wakes one, which wakes the others. So a
 * process that dies anywhere has either changed nothing or they are told. `whose`: bits of head->parked. */
void il_segment_change(struct il_segment *s, uint32_t whose);

/* Ends the waits, and takes the name away, also of one that is damaged. EIDRM: another process did; EPERM: it is
 * another user's, and nothing has changed; or errno. */
int il_segment_remove(struct il_segment *s);

#endif
