/* SPDX-License-Identifier: MIT
 *
 * Writing without the signals of a write that fails: SIGPIPE where there is no reader any more, SIGXFSZ above the limit
 * of a file's size (ulimit -f). Their default is to end the program; the errno, EPIPE or EFBIG, says as much. Floor 1:
 * no lua.h.
 */
#ifndef IL_LOOP_QUIET_H
#define IL_LOOP_QUIET_H

#include <signal.h>

struct il_quiet {
	sigset_t mask, pending; /* as they were before */
};

/* Around one call that may raise these signals: they are held back, and the one that this call has raised is taken.
 * `err`: how it failed, or 0. Keeps errno. */
void il_quiet_begin(struct il_quiet *q);
void il_quiet_end(struct il_quiet *q, int err);

#endif
