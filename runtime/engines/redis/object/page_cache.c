/* SPDX-License-Identifier: MIT
 *
 * Pages, see page_cache.h. In a reply three other elements come first, then the entries in the order of their names:
 * each is a name, and "version:value". Floor 2.
 */
#include "engines/redis/object/page_cache.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 3, CHANGED = 0 /* instead of a version */ };

static const int64_t FRESH = IL_SECOND; /* ns */

static int compare(const char *name, size_t size, const struct il_entry *e)
{
	int order = memcmp(name, e->name, size < e->name_size ? size : e->name_size);
	return order ? order : (size > e->name_size) - (size < e->name_size);
}

/* NULL: the page does not have it. */
static struct il_entry *find(const struct il_page *p, const char *name, size_t size)
{
	size_t low = 0, high = p->entry ? p->count : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, size, &p->entry[middle]);
		if (order == 0)
			return &p->entry[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void drop(struct il_page *p)
{
	free(p->entry);
	p->entry = NULL;
}

/* The last entry of a page is its end: the page is of no use then. */
int il_pages_next(struct il_pages *all, const char *name, size_t size, struct il_entry *e)
{
	for (int i = 0; i < IL_PAGES; i++) {
		struct il_page *p = &all->page[i];
		const struct il_entry *next = find(p, name, size);
		if (!next)
			continue;
		bool stale = il_now() > p->until, last = ++next == p->entry + p->count;
		if (!stale && !last && next->version != CHANGED) {
			*e = *next;
			return 0;
		}
		drop(p);
		return !stale && last && !p->more ? ENOENT : EAGAIN;
	}
	return EAGAIN;
}

int64_t il_record_split(struct il_entry *e, const char *record, size_t size)
{
	int64_t due = 0;
	size_t head = il_resp_digits(record, size, &e->version) + 1;
	if (head < size && record[head - 1] == '@')
		head += il_resp_digits(record + head, size - head, &due) + 1;
	head = head < size ? head : size;
	e->value = record + head;
	e->size = size - head;
	return due;
}

/* One allocation has all: the entries, then their bytes. */
static int fill(struct il_page *p, const struct il_request *r, size_t count)
{
	size_t bytes = 0, size;
	for (size_t i = HEAD; i < HEAD + 2 * count; i++, bytes += size) {
		il_reply_bytes(r, i, &size);
		if (!il_reply_has_string(r, i))
			return EPROTO;
	}
	p->entry = malloc(count * sizeof *p->entry + bytes + 1);
	if (!p->entry)
		return ENOMEM;
	char *to = (char *)(p->entry + count);
	for (size_t i = 0; i < count; i++) {
		struct il_entry *e = &p->entry[i];
		const char *name = il_reply_bytes(r, HEAD + 2 * i, &e->name_size),
			   *record = il_reply_bytes(r, HEAD + 2 * i + 1, &size);
		il_record_split(e, record, size);
		e->name = to;
		to = mempcpy(to, name, e->name_size);
		e->value = memcpy(to, e->value, e->size);
		to += e->size;
	}
	return 0;
}

/* Microseconds that the server has given. */
static int64_t fresh(int64_t n)
{
	return n <= 0 ? 0 : n < FRESH / 1000 ? n * 1000 : FRESH;
}

int il_pages_add(struct il_pages *all, const struct il_request *r, struct il_entry *e)
{
	size_t elements = il_reply_count(r);
	if (elements < HEAD || (elements - HEAD) % 2)
		return EPROTO;
	all->last = (all->last + 1) % IL_PAGES;
	struct il_page *p = &all->page[all->last];
	drop(p);
	p->count = (elements - HEAD) / 2;
	p->more = il_reply_number(r, 1);
	p->until = il_now() + fresh(il_reply_number(r, 2));
	int err = p->count ? fill(p, r, p->count) : ENOENT;
	if (!err)
		*e = p->entry[0];
	return err;
}

void il_pages_change(struct il_pages *all, const char *name, size_t size)
{
	for (int i = 0; i < IL_PAGES; i++) {
		struct il_entry *e = find(&all->page[i], name, size);
		if (e)
			e->version = CHANGED;
	}
}

void il_pages_free(struct il_pages *all)
{
	for (int i = 0; i < IL_PAGES; i++)
		drop(&all->page[i]);
}
