/* SPDX-License-Identifier: MIT
 *
 * What the engine of disk keys offers: its table, and the constructors in it.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_DISK_H
#define IL_DISK_DISK_H

#include "engines/engine.h"

extern const struct il_engine il_disk;

int il_disk_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);
int il_disk_data(const struct il_key *key, struct il_data_options *o, struct il_data **d);

#endif
