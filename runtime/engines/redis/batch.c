/* SPDX-License-Identifier: MIT
 *
 * Batches, see batch.h. The entries of a reply are behind two other elements, in the order of their names: each is
 * "version:length:", name, value. Floor 2.
 */
#include "engines/redis/batch.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 2 };

static const int64_t FRESH = IL_SECOND; /* ns */

static redisReply *entry_of(const struct il_batch *b, size_t i)
{
	return b->reply->reply->element[HEAD + i];
}

static size_t count_of(const struct il_batch *b)
{
	return b->reply->reply->elements - HEAD;
}

static void split(const redisReply *r, struct il_entry *e)
{
	char *at = r->str;
	e->version = strtoll(at, &at, 10);
	size_t name_size = strtoul(at + 1, &at, 10);
	size_t rest = r->len - (size_t)(at + 1 - r->str);
	e->name = at + 1;
	e->name_size = name_size < rest ? name_size : rest;
	e->value = e->name + e->name_size;
	e->size = rest - e->name_size;
}

/* An integer of a reply that is text has no other use: 1 is "it has changed since". */
static void mark(redisReply *r)
{
	r->integer = 1;
}

static bool marked(const redisReply *r)
{
	return r->integer;
}

static int compare(const char *name, size_t size, const redisReply *r)
{
	struct il_entry e;
	split(r, &e);
	int order = memcmp(name, e.name, size < e.name_size ? size : e.name_size);
	return order ? order : size < e.name_size ? -1 : size > e.name_size;
}

static bool find(const struct il_batch *b, const char *name, size_t size, size_t *place)
{
	size_t low = 0, high = b->reply ? count_of(b) : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(name, size, entry_of(b, middle));
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

static void drop(struct il_batch *b)
{
	if (b->reply)
		il_request_free(b->reply);
	b->reply = NULL;
}

/* Behind the last one of a batch nobody looks again. */
int il_batches_next(struct il_batches *all, const char *name, size_t size, struct il_entry *e)
{
	for (int i = 0; i < IL_BATCHES; i++) {
		struct il_batch *b = &all->batch[i];
		size_t place;
		if (!find(b, name, size, &place))
			continue;
		bool stale = il_now() - b->time > FRESH, more = il_reply_number(b->reply, 1);
		if (!stale && ++place < count_of(b) && !marked(entry_of(b, place))) {
			split(entry_of(b, place), e);
			return 0;
		}
		bool end = !stale && !more && place == count_of(b);
		drop(b);
		return end ? ENOENT : EAGAIN;
	}
	return EAGAIN;
}

static bool sound(const redisReply *r)
{
	bool strings = r->type == REDIS_REPLY_ARRAY && r->elements >= HEAD;
	for (size_t i = HEAD; strings && i < r->elements; i++)
		strings = r->element[i]->type == REDIS_REPLY_STRING;
	return strings;
}

int il_batches_add(struct il_batches *all, struct il_request *reply, struct il_entry *e)
{
	if (!sound(reply->reply)) {
		il_request_free(reply);
		return EPROTO;
	}
	all->last = (all->last + 1) % IL_BATCHES;
	struct il_batch *b = &all->batch[all->last];
	drop(b);
	b->reply = reply;
	b->time = il_now();
	if (!count_of(b)) {
		drop(b);
		return ENOENT;
	}
	split(entry_of(b, 0), e);
	return 0;
}

void il_batches_change(struct il_batches *all, const char *name, size_t size)
{
	size_t place;
	for (int i = 0; i < IL_BATCHES; i++)
		if (find(&all->batch[i], name, size, &place))
			mark(entry_of(&all->batch[i], place));
}

void il_batches_free(struct il_batches *all)
{
	for (int i = 0; i < IL_BATCHES; i++)
		drop(&all->batch[i]);
}
