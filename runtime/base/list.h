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

static inline int il_list_count(const struct il_list *head)
{
	int n = 0;
	for (const struct il_list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

/* The struct that is the first member of the list; NULL: the list is empty. */
/* clang-format off */
#define il_list_first(type, head, member) \
	(il_list_empty(head) ? NULL : il_container_of((head)->next, type, member))

/* Loops over the structs that are members, from the first on. In il_list_each none may leave the list meanwhile, in
 * il_list_each_safe `item` may. il_list_drain takes each out before the body runs, until the list is empty: what the
 * body adds has its turn, too, and the body may take out any others. */
#define il_list_each(type, item, head, member) \
	for (type *item = il_container_of((head)->next, type, member); &item->member != (head); \
		item = il_container_of(item->member.next, type, member))

#define il_list_each_safe(type, item, head, member) \
	for (type *item = il_container_of((head)->next, type, member), \
		  *item##_next = il_container_of(item->member.next, type, member); \
		&item->member != (head); \
		item = item##_next, item##_next = il_container_of(item->member.next, type, member))

#define il_list_drain(type, item, head, member) \
	for (type *item; (item = il_list_first(type, head, member)) && (il_list_del(&item->member), true);)
/* clang-format on */

#endif
