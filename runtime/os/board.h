/* SPDX-License-Identifier: MIT
 *
 * The board of a process: a file in /dev/shm that says what its tasks wait for, so that others can read it while the
 * process is stopped, busy or dead. It is IL_BOARD_PREFIX, the pid, a point and the start time of the process (field 22
 * of /proc/PID/stat), and has mode 0600. A process makes it when something waits for the first time, and removes it at
 * its end; the boards of processes that have died are removed by il_boards_sweep. Without room for it the process goes
 * on without a board.
 *
 * The file is a struct il_board_head and then struct il_board_record, numbered from 1; 0 is none. A task, or the main
 * chunk, that waits has a record of the kind IL_BOARD_WAITS. `next` leads from it to the cases of a select
 * (IL_BOARD_CASE) and to what the task holds (IL_BOARD_HOLD). While the task runs, its record is IL_BOARD_RUNS, and
 * says what it waited for last.
 *
 * To read it, read the file twice. Between the two times `sequence` of a record must not have changed, and must be
 * even: then the record is whole as it was read first, with all that `next` leads to. All numbers are those of the
 * machine. A text that was too long is cut; each ends with a zero byte. Times are ns of CLOCK_MONOTONIC.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_BOARD_H
#define IL_OS_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define IL_BOARD_FOLDER "/dev/shm"
#define IL_BOARD_PREFIX "ipclua.board."

enum {
	IL_BOARD_LAYOUT = 1,
	IL_BOARD_MOST = 16384, /* records; what waits beside them is not told */
	IL_BOARD_CASES = 64, /* of one select */
};

enum il_board_kind { IL_BOARD_FREE, IL_BOARD_WAITS, IL_BOARD_RUNS, IL_BOARD_CASE, IL_BOARD_HOLD };

struct il_board_head {
	char magic[8]; /* "ipcboard" */
	uint32_t layout;
	uint32_t head_size, record_size; /* bytes */
	_Atomic uint32_t used; /* the records behind this one were never written */
	int32_t pid;
	_Atomic uint32_t timers; /* that run: what they call may end any wait */
	uint64_t start; /* of the process, as in the name of the file */
	uint64_t space; /* its pid namespace: the inode; 0: not known */
	_Atomic int64_t turned; /* since when it runs without asking the kernel for events; 0: it waits for some */
	uint64_t address; /* where the process has it mapped; a program started in its place has not */
	char command[256]; /* its arguments, with a zero byte behind each */
};

struct il_board_record {
	_Atomic uint32_t sequence; /* odd: it is being written */
	uint8_t kind; /* enum il_board_kind */
	uint8_t more; /* there was no room for all cases or holds */
	uint16_t padding;
	uint32_t next;
	uint32_t line; /* 0: not known */
	int64_t task; /* its id; 0: the main chunk */
	int64_t since; /* it waits, to a few ms; of a hold: 0 */
	int64_t deadline; /* 0: none */
	uint64_t object; /* the same number in every process that has it; 0: nothing that processes share */
	int64_t other; /* what ends the wait: a task's id, a process's pid, the inode of a file; 0 */
	char name[40]; /* of the task */
	char call[32]; /* "mutex acquire", "sleep", "select"; of a hold: "mutex" */
	char key[128]; /* of the object, as its text */
	char file[64];
};

_Static_assert(sizeof(struct il_board_head) == 320, "layout");
_Static_assert(sizeof(struct il_board_record) == 320, "layout");

/* What is known of a record beside what it says: the mapped memory is not to be trusted. */
struct il_board_shadow {
	uint32_t next; /* in its chain, or in the list of free ones */
	const void *type; /* the call and the object that its texts are of; NULL: they are to be written, and so is the
			   * name */
	uint64_t object;
};

/* Hidden, and said so here: then it is reached directly. */
extern struct il_board {
	struct il_board_head *head; /* NULL: there is none, yet */
	struct il_board_record *records; /* [0] does not exist */
	struct il_board_shadow *shadows; /* of the same numbers */
	uint32_t count; /* records that the file has room for, and shadows */
	uint32_t used, free;
	uint32_t most; /* grows no further than to this */
} il_board __attribute__((visibility("hidden")));

/* A record, of which only the sequence means anything; 0: there is none. Makes the board, or more room. */
uint32_t il_board_take(void);

/* The same where *record is 0, and makes the board where there is none yet. False: it cannot be written. */
bool il_board_prepare(uint32_t *record);

/* The record is free, with what `next` leads to. */
void il_board_give(uint32_t record);

/* One that is added to the chain behind the record `last`; NULL: there is none. */
struct il_board_record *il_board_add(uint32_t *last);

/* What `next` of the record leads to is free. */
void il_board_cut(uint32_t record);

static inline struct il_board_record *il_board_at(uint32_t record)
{
	return &il_board.records[record];
}

/* Around each change of a record. */
static inline void il_board_begin(struct il_board_record *r)
{
	atomic_store_explicit(&r->sequence, atomic_load_explicit(&r->sequence, memory_order_relaxed) | 1,
		memory_order_relaxed);
#ifndef __SANITIZE_THREAD__ /* knows no fences, nor the readers, which are other processes */
	atomic_thread_fence(memory_order_release);
#endif
}

static inline void il_board_end(struct il_board_record *r)
{
	uint32_t sequence = atomic_load_explicit(&r->sequence, memory_order_relaxed);
	atomic_store_explicit(&r->sequence, sequence + 1, memory_order_release);
}

/* The task of the record waits no more. */
static inline void il_board_runs(uint32_t record)
{
	if (!record || !il_board.head)
		return;
	struct il_board_record *r = il_board_at(record);
	il_board_begin(r);
	r->kind = IL_BOARD_RUNS;
	if (il_board.shadows[record].next)
		il_board_cut(record);
	il_board_end(r);
}

/* The process asks the kernel for events. */
static inline void il_board_asks(size_t timers)
{
	if (!il_board.head)
		return;
	atomic_store_explicit(&il_board.head->timers, (uint32_t)timers, memory_order_relaxed);
	atomic_store_explicit(&il_board.head->turned, 0, memory_order_relaxed);
}

/* It has its answer, at a time. */
static inline void il_board_turned(int64_t now)
{
	if (il_board.head)
		atomic_store_explicit(&il_board.head->turned, now, memory_order_relaxed);
}

/* At the end of the process: removes its board. */
void il_board_close(void);

/* Removes that of a child which has been killed, and is not reaped yet. */
void il_board_remove(pid_t pid);

/* Removes the boards of dead processes. */
void il_boards_sweep(void);

/* The names of the files that are boards, with a zero byte behind each, as far as there is room for them. Returns how
 * many bytes all of them take. */
size_t il_boards_list(char *names, size_t size);

/* Bytes of a board that can be read, at most those of the largest; 0: it is none of this user's. */
size_t il_board_size(const char *path);

/* Reads so many at most; how many there were. */
size_t il_board_read(const char *path, char *bytes, size_t size);

#endif
