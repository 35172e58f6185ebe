/* SPDX-License-Identifier: MIT
 *
 * The file "control" of a folder: what the living processes share, and the lock of those that change the environment.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_CONTROL_H
#define IL_DISK_CONTROL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IL_DISK_CONTROL_SIZE = 4096 };

enum { IL_DISK_WORDS = 256, IL_DISK_UNSYNCED = 1, IL_DISK_FAILED = 2 };

/* The first process that comes begins it anew. */
struct il_disk_control {
	uint64_t magic;
	uint32_t layout;
	uint32_t turns; /* goes up whenever the lock is had */
	uint32_t unsynced; /* the last commit need not be on the disk: one of the above, or 0 */
	uint32_t soon; /* commits do not wait for the disk, see soon.h: */
	uint32_t since; /* so many since that which was saved last, */
	uint64_t saved; /* which has this number */
	uint64_t last; /* and was so long, in pages */
	uint64_t generation; /* of what was saved, or that nothing is */
	uint64_t pids; /* the pid namespace of the processes */
	uint64_t boot; /* of the machine */
	/* Robust: of a process that changes the environment, from before LMDB's until it is on disk. */
	pthread_mutex_t lock;
	uint32_t words[IL_DISK_WORDS]; /* futexes: what has a key has changed (il_disk_announce) */
};

/* Maps the file, and begins it anew if this process is `alone` with it. *same: the machine has not been started again
 * since. 0 or errno; *result is to be unmapped also after an error, if it is not NULL. */
int il_disk_control_map(int fd, bool alone, bool *same, struct il_disk_control **result);

/* 0; or EINVAL, EPROTO or EXDEV: it is not, or not for processes like this one. */
int il_disk_control_check(const struct il_disk_control *c);

/* On the helper's thread. 0; ETIMEDOUT: the process that has the lock stands still; or errno. */
int il_disk_control_lock(struct il_disk_control *c);
void il_disk_control_unlock(struct il_disk_control *c);

/* What the kernel names this start of the machine with; how many bytes, 0: not known. */
size_t il_disk_boot_id(char text[64]);

#endif
