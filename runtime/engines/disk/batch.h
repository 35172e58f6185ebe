/* SPDX-License-Identifier: MIT
 *
 * Batches: the changes (change.h) that are made in one transaction. All functions but the last are for the helper's
 * thread, or the loop's while it has none. Floor 2: no lua.h.
 */
#ifndef IL_DISK_BATCH_H
#define IL_DISK_BATCH_H

#include "engines/disk/change.h"

/* Moves changes that are queued to those that run. */
void il_disk_batch_take(struct il_disk *d);

/* Those that run have failed, but for those that have an error of their own. */
void il_disk_batch_fail(struct il_disk *d, int err);

/* Takes changes, makes them and brings them to disk; c->err says what became of each. */
void il_disk_batch_make(struct il_disk *d);

/* Of a change whose operation is to end. True: it has not begun, and will not: if it is queued or in a batch, ended()
 * gets ECANCELED. False: it has begun, so only the end of its batch tells whether it happens. */
bool il_disk_batch_withdraw(struct il_disk_change *c);

#endif
