/* SPDX-License-Identifier: MIT
 *
 * The objects of a folder, for the engine's table. Floor 2: no lua.h.
 */
#ifndef IL_DISK_LIST_H
#define IL_DISK_LIST_H

#include "engines/listing.h"

/* See struct il_engine. The folder is opened, as any process opens it: what a power cut has left is put in order.
 * ENOENT: there is none. */
int il_disk_list(const char *folder, struct il_listing *l);

#endif
