/* SPDX-License-Identifier: MIT
 *
 * The segments that there are, for the engine's table. Floor 2.
 */
#ifndef IL_SHM_LIST_H
#define IL_SHM_LIST_H

#include "engines/listing.h"
#include "engines/shm/shm.h"

/* What is read of a segment: all but messages and slots. */
enum { IL_SHM_LIST_SIZE = 32768 };

/* Adds the segments in /dev/shm. They are read, and not mapped: what happens to a file meanwhile is no signal. 0 or
 * errno. */
int il_shm_list(const char *folder, struct il_listing *l);

/* Reads what there is of a segment again, from its open file. 0; ENOENT: it has no such name; or errno. */
int il_shm_list_describe(int fd, const char *file, struct il_found *f);

/* The parts of a file's name, "ipclua.queue.shop+jobs". False: it is no segment's. */
bool il_shm_list_parse(const char *file, const char **noun, char name[IL_NAME_MAX + 8]);

#endif
