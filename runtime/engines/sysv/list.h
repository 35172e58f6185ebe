/* SPDX-License-Identifier: MIT
 *
 * The System V objects that there are, for the engine's table. Floor 2.
 */
#ifndef IL_SYSV_LIST_H
#define IL_SYSV_LIST_H

#include "engines/listing.h"

/* See struct il_engine. A semaphore set and a segment tell by their layout that they are of this runtime. A queue has
 * no such mark: one with a key is taken for one of a file's. */
int il_sysv_list(const char *folder, struct il_listing *l);

/* Which processes have a queue open, the system does not know; and a segment can be attached between any two steps. So
 * they are removed with IL_UNUSED_ANYTHING alone. */
int il_sysv_remove_unused(const struct il_found *f, unsigned how);

#endif
