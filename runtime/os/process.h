/* SPDX-License-Identifier: MIT
 *
 * Child processes by pidfd: no signal ever reaches another process that got the pid, and no end is missed.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_PROCESS_H
#define IL_OS_PROCESS_H

#include "loop/epoll.h"
#include "loop/op.h"

#include <sys/types.h>

struct il_process {
	struct il_io io; /* the pidfd */
	struct il_list waiters; /* operations */
	struct il_list siblings; /* among all processes of ours that have not ended */
	pid_t pid, parent;
	int code; /* exit code or signal, once it has ended */
	bool ended, signalled;
	bool closing; /* it has been asked to end, and is to be made to */
	int err; /* its end cannot be known: ECHILD */
	void (*on_end)(struct il_process *p);
};

/* Makes the struct inert. */
void il_process_init(struct il_process *p);

/* Forks. In the parent 0 or errno; *child is false. In the child *child is true and all signals are blocked. */
int il_process_fork(struct il_process *p, bool *child);

/* Before a child is made: room to watch it. One without could only be killed, having done something already. *place: a
 * descriptor, to be closed right before il_process_adopt. 0 or errno. */
int il_process_prepare(int *place);

/* Watches a child that was just made. 0 or errno; then it has been killed and reaped. */
int il_process_adopt(struct il_process *p, pid_t pid);

/* The child empties its signal mask, when it is ready. */
void il_process_unblock(void);

/* 0 or errno; ESRCH once it has ended. */
int il_process_signal(struct il_process *p, int number);

/* For struct il_op_type, with il_op_leave: done when the process has ended. */
bool il_process_wait_attempt(struct il_op *op);
int il_process_wait_start(struct il_op *op);

/* Waits without the loop, for at most `ns`. True: it has ended. */
bool il_process_wait_blocking(struct il_process *p, int64_t ns);

/* Reaps all of ours that have ended, as the loop would at its next poll. */
void il_processes_reap(void);

/* Lets go of the handle; the process goes on. */
void il_process_fini(struct il_process *p);

/* At the end of the program, which does not wait. */
void il_processes_kill_closing(void);

/* In a child that begins anew (base/fork.h): inherited(p) is called for each process of the parent, which is let go of
 * then. To be called once before. */
void il_processes_init(void (*inherited)(struct il_process *p));

#endif
