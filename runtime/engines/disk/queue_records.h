/* SPDX-License-Identifier: MIT
 *
 * What becomes of the messages of a queue on disk, in a transaction: one call is one arrow between two states. What
 * these functions return is 0, errno, or a result of LMDB's (queue_record.h); after an errno nothing has changed.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_RECORDS_H
#define IL_DISK_QUEUE_RECORDS_H

#include "engines/disk/queue_record.h"

/* A new message; job: how, or NULL, and then its id. EEXIST: a message that is not dead has that id. EMSGSIZE. EAGAIN:
 * there is no room for it, even without dead letters; the oldest of these go if that helps. */
int il_disk_records_send(struct il_disk_records *r, int64_t type, const void *data, size_t size, struct il_job *job,
	int64_t now);

/* Can such a message be sent now? The same results. */
int il_disk_records_may_send(struct il_disk_records *r, size_t size, const struct il_job *job);

/* The first ready message of a type, as struct il_queue_ops has it. EAGAIN: there is none. */
int il_disk_records_first(struct il_disk_records *r, int64_t type, struct il_disk_message *m);

/* That message is received: it is gone. */
int il_disk_records_receive(struct il_disk_records *r, const struct il_disk_message *m);

/* The same, and it becomes the holder's, whose process is among those that take from then on: *first, it was not
 * before. Those that are over a limit die on the way. EAGAIN may have changed something. The bytes of the message are
 * in the map until the next change. */
int il_disk_records_take(struct il_disk_records *r, int64_t type, const struct il_disk_holder *holder,
	const struct il_job_limits *limits, struct il_disk_message *m, bool *first);

/* The delivery as the caller has it. */
void il_disk_records_describe(const struct il_disk_message *m, struct il_job *job);

/* A taken job ends as job->outcome says. With `type` the message is the next one, in its place. ESTALE, ENOBUFS,
 * EMSGSIZE. */
int il_disk_records_finish(struct il_disk_records *r, struct il_job *job, const struct il_disk_holder *holder,
	const struct il_job_limits *limits, int64_t type, const void *data, size_t size, int64_t now);

/* A message that was received, and has no use there: it is back in its old place. */
int il_disk_records_restore(struct il_disk_records *r, const struct il_disk_message *m);

/* Makes those ready that are due, but not more than `most`: *more, there are others. */
int il_disk_records_expire(struct il_disk_records *r, int64_t now, int most, bool *more);

/* When the first of those that are delayed is due; IL_NEVER: none is. */
int il_disk_records_due(struct il_disk_records *r, int64_t *due);

/* The first process behind *process that takes, which *process becomes. ENOENT: there is none. */
int il_disk_records_taker(struct il_disk_records *r, struct il_disk_holder *process);

/* What a handle of a process has taken is ready again. */
int il_disk_records_release(struct il_disk_records *r, const struct il_disk_holder *holder);

/* A process has ended: what it has taken is ready again, or dead. */
int il_disk_records_bereave(struct il_disk_records *r, const struct il_disk_holder *process,
	const struct il_job_limits *limits);

/* stat: all but the processes. */
int il_disk_records_stat(struct il_disk_records *r, struct il_queue_stat *stat);

#endif
