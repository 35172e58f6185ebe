/* SPDX-License-Identifier: MIT
 *
 * Several messages in one piece of memory, one behind the other: of each a struct il_payload, then its bytes; the next
 * one begins at a multiple of 8. So they are sent, and so they are received.
 * Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_PAYLOADS_H
#define IL_ENGINES_PAYLOADS_H

#include <stddef.h>
#include <stdint.h>

struct il_payload {
	int64_t type;
	size_t size;
};

/* What was received, and in front of the messages what their owner wants to remember. From malloc. */
struct il_payloads {
	struct il_payloads *next; /* the owner's */
	size_t at; /* the owner's: 0 at first */
	size_t count, size; /* of the messages that follow */
	size_t room; /* for these */
};

/* What a message of so many bytes takes. */
static inline size_t il_payload_space(size_t size)
{
	return sizeof(struct il_payload) + ((size + 7) & ~(size_t)7);
}

static inline struct il_payload *il_payload_at(const void *messages, size_t at)
{
	return (struct il_payload *)(void *)((char *)messages + at);
}

static inline void *il_payload_bytes(const struct il_payload *p)
{
	return (void *)(p + 1);
}

static inline struct il_payload *il_payloads_at(struct il_payloads *all, size_t at)
{
	return il_payload_at(all + 1, at);
}

/* Makes room for one message more. 0 or ENOMEM. */
int il_payloads_reserve(struct il_payloads **all, size_t size, size_t expected);

/* One message more: the place of its bytes, which the caller fills in. *all is NULL at first; `expected`: how many will
 * come, with this one. NULL: no memory, and all is as before. */
static inline void *il_payloads_add(struct il_payloads **all, int64_t type, size_t size, size_t expected)
{
	size_t space = il_payload_space(size);
	if ((!*all || (*all)->room - (*all)->size < space) && il_payloads_reserve(all, size, expected))
		return NULL;
	struct il_payload *p = il_payloads_at(*all, (*all)->size);
	p->type = type;
	p->size = size;
	(*all)->size += space;
	(*all)->count++;
	return il_payload_bytes(p);
}

/* Takes the last message away again, whose size it was. */
static inline void il_payloads_remove_last(struct il_payloads *all, size_t size)
{
	all->size -= il_payload_space(size);
	all->count--;
}

#endif
