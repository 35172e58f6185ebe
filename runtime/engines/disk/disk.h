/* SPDX-License-Identifier: MIT
 *
 * What the engine of disk keys offers: its table, and the constructors in it.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_DISK_H
#define IL_DISK_DISK_H

#include "engines/engine.h"

extern const struct il_engine il_disk;

int il_disk_data(const struct il_key *key, struct il_data_options *o, struct il_data **d);

/* What this engine cannot honour, as a mode that lets other users in. 0; EINVAL or ENOTSUP, and why. */
int il_disk_check_options(unsigned mode, enum il_sync sync);

#endif
