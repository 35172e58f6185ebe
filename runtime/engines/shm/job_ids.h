/* SPDX-License-Identifier: MIT
 *
 * Messages by the id that their sender gave them: a table of chains through their fronts. Messages without such an id
 * have one by their place, "#" and its number, and are not here. All functions are for receivers. Floor 2.
 */
#ifndef IL_SHM_JOB_IDS_H
#define IL_SHM_JOB_IDS_H

#include "engines/shm/blocks_layout.h"

enum { IL_JOB_NAME = 256 }; /* bytes of an id at most, and a zero */

void il_job_ids_add(const struct il_blocks *v, const struct il_message *m);
void il_job_ids_del(const struct il_blocks *v, const struct il_message *m);

/* A message with that id which is dead, or one which is not. */
bool il_job_ids_find(const struct il_blocks *v, const char *id, size_t size, bool dead, struct il_message *m);

/* Of the messages with that id which are dead, the one that died first. */
bool il_job_ids_find_first_dead(const struct il_blocks *v, const char *id, size_t size, struct il_message *m);

/* The id of a message that its sender gave it. How many bytes; 0: it has one by its place. */
uint8_t il_job_ids_own(const struct il_blocks *v, const struct il_message *m, char id[IL_JOB_NAME]);

/* What stands behind the "#" then: 1 for the first message, as on every engine. */
static inline uint64_t il_job_ids_number(uint64_t place)
{
	return place + 1;
}

/* The id of a message, which the sender or its place gave it. How many bytes. */
uint8_t il_job_ids_get(const struct il_blocks *v, const struct il_message *m, char id[IL_JOB_NAME]);

#endif
