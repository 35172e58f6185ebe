/* SPDX-License-Identifier: MIT
 *
 * A snapshot of the names that begin with a prefix. It is copied out of one transaction at once: a transaction that
 * stayed open while Lua runs would keep every page that is given back meanwhile from being used.
 * Floor 2.
 */
#include "engines/store/shared_data_each.h"
#include "engines/store/environment.h"
#include "engines/store/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4096 };

struct listing {
	const char *prefix;
	size_t prefix_size;
	char *bytes;
	size_t size, room;
};

static int reserve(struct listing *l, size_t size)
{
	size_t room = l->room ? l->room : FIRST_ROOM;
	while (room < size)
		room *= 2;
	char *bytes = room == l->room ? l->bytes : realloc(l->bytes, room);
	if (!bytes)
		return ENOMEM;
	l->bytes = bytes;
	l->room = room;
	return 0;
}

static int add(struct listing *l, const MDB_val *key, const struct il_entry *e)
{
	struct il_listed head = { .version = e->version, .name_size = key->mv_size, .size = e->size };
	int err = reserve(l, l->size + il_listed_size(&head));
	if (err)
		return err;
	char *to = mempcpy(l->bytes + l->size, &head, sizeof head);
	to = mempcpy(to, key->mv_data, key->mv_size);
	memcpy(to, e->value, e->size);
	l->size += il_listed_size(&head);
	return 0;
}

static bool begins(const MDB_val *key, const struct listing *l)
{
	return key->mv_size >= l->prefix_size && memcmp(key->mv_data, l->prefix, l->prefix_size) == 0;
}

static int list(struct il_store *s, MDB_cursor *cursor, void *arg)
{
	struct listing *l = arg;
	struct il_stored r;
	MDB_val key = { l->prefix_size, (void *)l->prefix }, value;
	(void)s;
	l->size = 0;
	int rc = mdb_cursor_get(cursor, &key, &value, l->prefix_size ? MDB_SET_RANGE : MDB_FIRST);
	for (; !rc && begins(&key, l); rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		rc = il_record_read(&key, &value, &r);
		if (rc == ECANCELED)
			continue;
		if (!rc)
			rc = add(l, &key, &r.entry);
		if (rc)
			break;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int query(struct il_store *s, MDB_txn *txn, void *arg)
{
	return il_record_with_cursor(s, txn, list, arg);
}

int il_store_each(struct il_store *s, struct il_op *op, bool patiently)
{
	struct listing l = { .prefix = op->name, .prefix_size = op->name_size };
	int err = il_store_read(s, query, &l, patiently);
	if (err) {
		free(l.bytes);
		return err;
	}
	op->data = l.bytes;
	op->size = l.size;
	op->owned = true;
	return 0;
}
