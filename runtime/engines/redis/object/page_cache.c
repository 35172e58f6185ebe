/* SPDX-License-Identifier: MIT
 *
 * Pages, see page_cache.h. In a reply two other elements come first, then the entries in the order of their names: each
 * is a name, and "version:value". Floor 2.
 */
#include "engines/redis/object/page_cache.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 2 };

static const int64_t FRESH = IL_SECOND; /* ns */

static struct il_reply *name_of(const struct il_page *b, size_t i)
{
	return b->reply->element[HEAD + 2 * i];
}

static size_t count_of(const struct il_page *b)
{
	return (b->reply->elements - HEAD) / 2;
}

/* An entry has its value directly behind the name. */
static int entry(struct il_pages *all, const struct il_page *b, size_t i, struct il_entry *e)
{
	const struct il_reply *name = name_of(b, i), *record = b->reply->element[HEAD + 2 * i + 1];
	size_t head = strspn(record->str, "0123456789") + 1;
	size_t size = record->len > head ? record->len - head : 0, room = name->len + size + 1;
	if (all->room < room) {
		char *joined = realloc(all->joined, room);
		if (!joined)
			return ENOMEM;
		all->joined = joined;
		all->room = room;
	}
	memcpy(all->joined, name->str, name->len);
	memcpy(all->joined + name->len, record->str + head, size);
	*e = (struct il_entry){
		.name = all->joined,
		.name_size = name->len,
		.value = all->joined + name->len,
		.size = size,
		.version = strtoll(record->str, NULL, 10),
	};
	return 0;
}

/* The integer of a reply that is text has no other use: 1 is "changed since". */
static void mark(struct il_reply *r)
{
	r->integer = 1;
}

static bool marked(const struct il_reply *r)
{
	return r->integer;
}

static int compare(const char *name, size_t size, const struct il_reply *r)
{
	int order = memcmp(name, r->str, size < r->len ? size : r->len);
	return order ? order : size < r->len ? -1 : size > r->len;
}

static bool find(const struct il_page *b, const char *name, size_t size, size_t *place)
{
	size_t low = 0, high = b->reply ? count_of(b) : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, size, name_of(b, middle));
		*place = middle;
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static void drop(struct il_page *b)
{
	if (b->reply)
		il_reply_free(b->reply);
	b->reply = NULL;
}

/* The last entry of a page is its end: the page is of no use then. */
int il_pages_next(struct il_pages *all, const char *name, size_t size, struct il_entry *e)
{
	for (int i = 0; i < IL_PAGES; i++) {
		struct il_page *b = &all->page[i];
		size_t place;
		if (!find(b, name, size, &place))
			continue;
		bool stale = il_now() - b->time > FRESH, more = b->reply->element[1]->integer;
		if (!stale && ++place < count_of(b) && !marked(name_of(b, place)))
			return entry(all, b, place, e);
		bool end = !stale && !more && place == count_of(b);
		drop(b);
		return end ? ENOENT : EAGAIN;
	}
	return EAGAIN;
}

static bool sound(const struct il_reply *r)
{
	bool strings = r->type == IL_REPLY_ARRAY && r->elements >= HEAD && r->elements % 2 == 0;
	for (size_t i = HEAD; strings && i < r->elements; i++)
		strings = r->element[i]->type == IL_REPLY_STRING;
	return strings;
}

int il_pages_add(struct il_pages *all, struct il_reply *reply, struct il_entry *e)
{
	if (!sound(reply)) {
		il_reply_free(reply);
		return EPROTO;
	}
	all->last = (all->last + 1) % IL_PAGES;
	struct il_page *b = &all->page[all->last];
	drop(b);
	b->reply = reply;
	b->time = il_now();
	if (!count_of(b)) {
		drop(b);
		return ENOENT;
	}
	return entry(all, b, 0, e);
}

void il_pages_change(struct il_pages *all, const char *name, size_t size)
{
	size_t place;
	for (int i = 0; i < IL_PAGES; i++)
		if (find(&all->page[i], name, size, &place))
			mark(name_of(&all->page[i], place));
}

void il_pages_free(struct il_pages *all)
{
	for (int i = 0; i < IL_PAGES; i++)
		drop(&all->page[i]);
	free(all->joined);
}
