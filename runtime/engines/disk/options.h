/* SPDX-License-Identifier: MIT
 *
 * Options that all objects on a disk have.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_OPTIONS_H
#define IL_DISK_OPTIONS_H

#include "engines/engine.h"

/* What this engine cannot honour, as a mode that lets other users in. 0; EINVAL, and why. */
int il_disk_check_options(unsigned mode);

#endif
