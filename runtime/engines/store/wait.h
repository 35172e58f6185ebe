/* SPDX-License-Identifier: MIT
 *
 * Operations that wait for a name to change, and calls that another process is in the way of. Floor 2: no lua.h.
 */
#ifndef IL_STORE_WAIT_H
#define IL_STORE_WAIT_H

#include "engines/store/store.h"

void il_store_wait_init(struct il_store *s);
void il_store_wait_fini(struct il_store *s);

/* For attempt and start of an operation type. */
bool il_store_wait_attempt(struct il_store *s, struct il_op *op);
void il_store_wait_start(struct il_store *s, struct il_op *op);

/* For start and cancel of operations that a process was in the way of: they are attempted again until they are done. */
int il_store_call_start(struct il_store *s, struct il_op *op);
void il_store_call_cancel(struct il_store *s, struct il_op *op);

/* Ends those of a source with ECANCELED. */
void il_store_calls_close(struct il_store *s, const void *source);

#endif
