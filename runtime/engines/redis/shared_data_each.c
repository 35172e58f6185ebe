/* SPDX-License-Identifier: MIT
 *
 * A snapshot of names, as data_each.lua has packed them: of each two sizes of four bytes, the name, "version:value".
 * One string, since a reply of many elements is refused by the parser.
 * Floor 2.
 */
#include "engines/redis/shared_data_each.h"
#include "engines/redis/object/page_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 8 };

static size_t number(const char *bytes)
{
	size_t n = 0;
	for (int i = 3; i >= 0; i--)
		n = n << 8 | (unsigned char)bytes[i];
	return n;
}

/* Takes the next one off what is left. 0; EPROTO. */
static int take(const char **bytes, size_t *left, struct il_entry *e)
{
	if (*left < SIZES)
		return EPROTO;
	size_t name = number(*bytes), record = number(*bytes + 4), all = SIZES + name + record;
	if (all > *left || !name || !record)
		return EPROTO;
	e->name = *bytes + SIZES;
	e->name_size = name;
	il_record_split(e, e->name + name, record);
	*bytes += all;
	*left -= all;
	return 0;
}

static char *put(char *to, const struct il_entry *e)
{
	struct il_listed head = { .version = e->version, .name_size = e->name_size, .size = e->size };
	char *name = mempcpy(to, &head, sizeof head);
	memcpy(mempcpy(name, e->name, e->name_size), e->value, e->size);
	return to + il_listed_size(&head);
}

/* The sizes first, so that there is one allocation. */
static int measure(const char *bytes, size_t left, size_t *size)
{
	struct il_entry e;
	*size = 0;
	while (left) {
		int err = take(&bytes, &left, &e);
		if (err)
			return err;
		*size += il_listed_size(&(struct il_listed){ .name_size = e.name_size, .size = e.size });
	}
	return 0;
}

int il_redis_data_listed(struct il_op *op, const struct il_request *r)
{
	struct il_entry e;
	size_t left, size;
	const char *bytes = il_reply_bytes(r, 1, &left);
	int err = il_reply_has_string(r, 1) ? measure(bytes, left, &size) : EPROTO;
	char *to = err ? NULL : malloc(size + 1);
	if (!to)
		return err ? err : ENOMEM;
	op->data = to;
	op->size = size;
	op->owned = true;
	while (left && take(&bytes, &left, &e) == 0)
		to = put(to, &e);
	return 0;
}
