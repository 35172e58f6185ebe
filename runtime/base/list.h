/* SPDX-License-Identifier: MIT
 *
 * Intrusive circular list: a head and its members are the same struct. A member that is in no list points
 * to itself, so deleting twice is harmless and il_list_empty(member) asks "is it in a list?".
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_LIST_H
#define IL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
#define il_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

struct il_list {
	struct il_list *next, *prev;
};

/* clang-format off */
#define IL_LIST_INIT(name) { &(name), &(name) }
/* clang-format on */

static inline void il_list_init(struct il_list *l)
{
	l->next = l->prev = l;
}

static inline bool il_list_empty(const struct il_list *l)
{
	return l->next == l;
}

static inline void il_list_add(struct il_list *head, struct il_list *member)
{
	member->prev = head->prev;
	member->next = head;
	head->prev->next = member;
	head->prev = member;
}

static inline void il_list_del(struct il_list *member)
{
	member->prev->next = member->next;
	member->next->prev = member->prev;
	il_list_init(member);
}

/* All members of a list come into another one, whatever it was; `from` is empty then. */
static inline void il_list_move(struct il_list *from, struct il_list *to)
{
	il_list_init(to);
	if (il_list_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	il_list_init(from);
}

#endif
