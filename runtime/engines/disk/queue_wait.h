/* SPDX-License-Identifier: MIT
 *
 * Calls that wait: for an announcement, for a delayed message to be due, for a process that takes to end.
 *
 * An announcement makes one call of each type again. One that gets something makes the next ones again that want the
 * same. So not all try for one message, and none is left where there are several.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_WAIT_H
#define IL_DISK_QUEUE_WAIT_H

#include "engines/disk/queue_call.h"

/* For a new handle. 0 or ENOMEM. */
int il_dq_waits_join(struct il_dq *q);

/* Its calls wait no more. */
void il_dq_waits_quit(struct il_dq *q);

/* In a forked child, before anything else: what is the parent's is left there. */
void il_dq_waits_renew(struct il_dq_waits *w);

/* A new call gets its place among those that wait. False: others are before it, and it is not to be made now. */
bool il_dq_wait_begin(struct il_dq_call *c);

/* It found nothing. */
void il_dq_wait(struct il_dq_call *c);

/* It waits no more, for it was done, or is not to be. */
void il_dq_wait_end(struct il_dq_call *c);

/* The next ones that want the same have their turn. */
void il_dq_pass_on(struct il_dq_waits *w, const struct il_dq_kind *kind, int64_t type);

/* Which of the processes that take have ended: for the call. */
void il_dq_find_dead(struct il_disk_records *r, struct il_dq_call *c);

#endif
