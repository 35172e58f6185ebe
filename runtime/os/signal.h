/* SPDX-License-Identifier: MIT
 *
 * Signals as data. The handler stores the sender's information in a ring; il_signal_drain gives it to every watcher, in
 * the order of arrival, outside of the handler. While the ring is full the signal is blocked, so that the
 * kernel keeps what it queues. What stood before the first watcher is put back after the last.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_SIGNAL_H
#define IL_OS_SIGNAL_H

#include "base/list.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct il_siginfo {
	int number;
	bool has_sender, has_value;
	pid_t pid;
	uid_t uid;
	int32_t value;
};

struct il_sigwatch {
	struct il_list node;
	int number;
	void (*arrived)(struct il_sigwatch *w, const struct il_siginfo *info); /* must not fail or run Lua */
};

/* Set by the handler, cleared by il_signal_drain. */
extern volatile sig_atomic_t il_signal_arrived;

/* Signals that could not be kept for lack of memory. */
extern int64_t il_signals_lost;

/* Called in the handler, so async-signal-safe, after the information was stored. */
extern void (*il_signal_notify)(void);

/* "USR1" or "SIGUSR1" → number, 0 if there is no such signal. */
int il_signal_number(const char *name);

/* 10 → "USR1", 36 → "RTMIN+2"; NULL if there is no such signal. The text lasts until the next call. */
const char *il_signal_name(int number);

/* Starts watching. 0 or errno: EINVAL for a signal that cannot be caught. The node must be in no list. */
int il_signal_watch(struct il_sigwatch *w, int number);
void il_signal_unwatch(struct il_sigwatch *w);

/* The disposition while there is no watcher: SIG_IGN, SIG_DFL, or SIG_ERR for what was there at first. 0 or errno. */
int il_signal_dispose(int number, void (*how)(int));

/* Hands what has arrived to the watchers. */
void il_signal_drain(void);

/* Sends; value is sent with it if has_value. 0 or errno. */
int il_signal_send(pid_t pid, int number, bool has_value, int32_t value);

/* A child that begins anew (base/fork.h), with all signals blocked, has default dispositions, but terminal signals that
 * were ignored from outside stay so; nothing is watched, and no il_sigwatch is in a list. To be called once before. */
void il_signal_init(void);

/* The signals that were ignored from outside: for a child that runs another program, too. */
void il_signal_ignored(sigset_t *set);

/* Puts back what was there before. */
void il_signal_fini(void);

#endif
