/* SPDX-License-Identifier: MIT
 *
 * The removal of a segment that no process uses, for the engine's table. Floor 2.
 */
#ifndef IL_SHM_UNUSED_H
#define IL_SHM_UNUSED_H

#include "engines/listing.h"

/* See struct il_engine. */
int il_shm_remove_unused(const struct il_found *f, unsigned how);

#endif
