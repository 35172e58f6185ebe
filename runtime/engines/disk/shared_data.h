/* SPDX-License-Identifier: MIT
 *
 * Shared data on a disk, as its parts know it: reading is in shared_data_read.c, changing in shared_data_write.c;
 * entry.h has what is in its tables. Floor 2: no lua.h.
 */
#ifndef IL_DISK_SHARED_DATA_H
#define IL_DISK_SHARED_DATA_H

#include "engines/disk/change.h"
#include "engines/engine.h"
#include "engines/stored.h"

struct il_disk_data {
	struct il_data data;
	struct il_disk_object object;
	struct il_stored_copy read; /* what was read last */
};

static inline struct il_disk_data *il_disk_data_of(const struct il_op *op)
{
	return il_container_of((struct il_data *)op->source, struct il_disk_data, data);
}

/* What waits for a name waits for this key. */
uint64_t il_disk_data_key(const struct il_disk_data *d, const void *name, size_t size);

/* An attempt where nothing can wait does what `start` begins. */
bool il_disk_data_attempt(struct il_op *op);

#endif
