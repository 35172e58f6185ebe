/* SPDX-License-Identifier: MIT
 *
 * What the engine of disk keys offers: its table, and the constructors in it.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_DISK_H
#define IL_DISK_DISK_H

#include "engines/engine.h"

extern const struct il_engine il_disk;

/* What this engine cannot honour: a mode that lets other users in. 0 or EINVAL. */
int il_disk_check_mode(unsigned mode);

#endif
