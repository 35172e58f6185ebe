/* SPDX-License-Identifier: MIT
 *
 * What is read of a queue on disk without a call, on the loop's thread, from the last commit.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_READ_H
#define IL_DISK_QUEUE_READ_H

#include "engines/disk/queue_call.h"

/* This process, with the handle: what it takes has this holder. */
struct il_disk_holder il_dq_holder(const struct il_dq *q);

/* A look at the last commit, which must not be left between these two. 0; EAGAIN: that cannot be done here now; EIDRM;
 * or errno. */
int il_dq_read_begin(struct il_dq *q, struct il_disk_txn *t, struct il_disk_records *r);
void il_dq_read_end(struct il_dq *q, struct il_disk_txn *t);

/* Does at once what a call of a kind that only reads would do. False: it has to be a call, for something is to be put
 * right first, or this process has not made yet what it has given back. */
bool il_dq_read_now(struct il_dq *q, struct il_op *op, const struct il_dq_kind *kind);

#endif
