/* SPDX-License-Identifier: MIT
 *
 * Dead letters of a queue on disk, in a transaction, in the order of their deaths.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_QUEUE_DEAD_H
#define IL_DISK_QUEUE_DEAD_H

#include "engines/disk/queue_record.h"

/* A record becomes a dead letter, with the reason in `to`. Of more than `keep` the oldest are dropped. */
int il_disk_dead_add(struct il_disk_records *r, const struct il_disk_message *from, struct il_disk_message *to,
	uint32_t keep);

/* The first one whose number is greater. ENOENT: there is none. */
int il_disk_dead_next(struct il_disk_records *r, uint64_t number, struct il_disk_message *m);

/* The oldest go until so many bytes of messages are in the queue, or none is left. */
int il_disk_dead_shrink(struct il_disk_records *r, uint64_t bytes);

/* Those of an id, or, without, all: are ready again, as if they had not been taken yet; are gone. A letter is not
 * revived while another message has its id. *n: how many. */
int il_disk_dead_revive(struct il_disk_records *r, const char *id, size_t size, int64_t *n);
int il_disk_dead_drop(struct il_disk_records *r, const char *id, size_t size, int64_t *n);

#endif
