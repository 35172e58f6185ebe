/* SPDX-License-Identifier: MIT
 *
 * Writing without the signals of a write that fails: SIGPIPE where there is no reader any more, SIGXFSZ above the limit
 * of a file's size (ulimit -f). Their default is to end the program; the errno, EPIPE or EFBIG, says as much. Floor 1b:
 * no lua.h.
 */
#ifndef IL_OS_SIGPIPE_H
#define IL_OS_SIGPIPE_H

#include <signal.h>

struct il_sigpipe {
	sigset_t mask, pending; /* as they were before */
};

/* Around one call that may raise these signals: they are held back, and the one that this call has raised is taken.
 * `err`: how it failed, or 0. Keeps errno. */
void il_sigpipe_hold(struct il_sigpipe *q);
void il_sigpipe_release(struct il_sigpipe *q, int err);

#endif
