/* SPDX-License-Identifier: MIT
 *
 * Messages by their id, see job_ids.h. A chain takes no more steps than there are blocks. Floor 2.
 */
#include "engines/shm/job_ids.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a */
static uint32_t *slot_of(const struct il_blocks *c, const char *id, size_t size)
{
	uint32_t hash = 2166136261;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)id[i]) * 16777619;
	return &c->ids[hash % c->id_slots];
}

uint8_t il_job_ids_own(const struct il_blocks *c, const struct il_message *m, char id[IL_JOB_NAME])
{
	uint8_t size = m->front ? il_front_at(c, m->block)->id_size : 0;
	return size && il_blocks_load(c, m->block, sizeof(struct il_front), id, size) ? 0 : size;
}

void il_job_ids_add(const struct il_blocks *c, const struct il_message *m)
{
	char id[IL_JOB_NAME];
	uint8_t size = il_job_ids_own(c, m, id);
	if (!size)
		return;
	uint32_t *slot = slot_of(c, id, size);
	il_front_at(c, m->block)->next = *slot;
	*slot = m->block + 1;
}

/* The message at a link of a chain. */
static bool follow(const struct il_blocks *c, uint32_t link, struct il_message *m)
{
	if (!link || link > c->count || !il_is_record(c, link - 1, m) || !il_state_get(m->state, IL_STATE_FRONT))
		return false;
	m->front = (uint32_t)il_front_size(il_front_at(c, link - 1)->id_size);
	return true;
}

void il_job_ids_del(const struct il_blocks *c, const struct il_message *m)
{
	char id[IL_JOB_NAME];
	struct il_message other;
	uint8_t size = il_job_ids_own(c, m, id);
	if (!size)
		return;
	uint32_t *link = slot_of(c, id, size);
	for (uint32_t n = 0; n < c->count && *link != m->block + 1 && follow(c, *link, &other); n++)
		link = &il_front_at(c, other.block)->next;
	if (*link == m->block + 1)
		*link = il_front_at(c, m->block)->next;
}

/* The next one of a chain, from the link on; the link becomes the one behind it. */
static bool find_next(const struct il_blocks *c, uint32_t *link, uint32_t *steps, const char *id, size_t size,
	bool dead, struct il_message *m)
{
	char other[IL_JOB_NAME];
	for (; *steps < c->count && follow(c, *link, m); ++*steps) {
		bool is_dead = il_state_get(m->state, IL_STATE_KIND) == IL_RECORD_DEAD;
		*link = il_front_at(c, m->block)->next;
		if (is_dead == dead && il_job_ids_own(c, m, other) == size && memcmp(id, other, size) == 0)
			return true;
	}
	return false;
}

bool il_job_ids_find(const struct il_blocks *c, const char *id, size_t size, bool dead, struct il_message *m)
{
	uint32_t link = *slot_of(c, id, size), steps = 0;
	return find_next(c, &link, &steps, id, size, dead, m);
}

bool il_job_ids_find_first_dead(const struct il_blocks *c, const char *id, size_t size, struct il_message *m)
{
	struct il_message other;
	uint32_t link = *slot_of(c, id, size), steps = 0, oldest = 0;
	bool found = false;
	while (find_next(c, &link, &steps, id, size, true, &other)) {
		uint32_t age = c->jobs->deaths - il_record_at(c, other.block)->index;
		if (found && age <= oldest)
			continue;
		*m = other;
		oldest = age;
		found = true;
	}
	return found;
}

uint8_t il_job_ids_get(const struct il_blocks *c, const struct il_message *m, char id[IL_JOB_NAME])
{
	uint8_t size = il_job_ids_own(c, m, id);
	if (!size)
		return (uint8_t)snprintf(id, IL_JOB_NAME, "#%llu", (unsigned long long)il_job_ids_number(m->place));
	id[size] = '\0';
	return size;
}
