/* SPDX-License-Identifier: MIT
 *
 * Changing shared data on a disk. All is a change of some names in one transaction, which all get one version: the
 * transaction's number, and how many changes there were in it before.
 * Floor 2.
 */
#include "engines/disk/shared_data_write.h"
#include "engines/disk/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PUTS_BITS = 20 };

/* Behind the names are their bytes: of each the name, room for the head of its record, and the value. */
struct edit {
	struct il_disk_change change;
	int64_t version, number; /* out */
	bool one; /* a missing name is an error */
	bool over; /* out: with ENOSPC, the data's size, and not that of the disk */
	size_t count;
	struct il_data_change at[];
};

static struct il_disk_data *data_of(const struct il_disk_change *c)
{
	return il_container_of(c->object, struct il_disk_data, object);
}

static struct edit *edit_of(struct il_disk_change *c)
{
	return il_container_of(c, struct edit, change);
}

/* Names --------------------------------------------------------------------------------------------------- */

static int check_one(struct il_disk_data *d, struct il_disk_txn *t, const struct il_data_change *c)
{
	return il_stored_check(t->txn, d->object.table->dbi, c->name, c->name_size, c->version);
}

static int check(struct il_disk_data *d, struct il_disk_txn *t, const struct edit *e)
{
	int rc = il_disk_object_use(&d->object, t);
	for (size_t i = 0; i < e->count && !rc; i++)
		rc = check_one(d, t, &e->at[i]);
	return rc;
}

static int delete_all(struct il_disk_data *d, struct il_disk_txn *t, const struct edit *e)
{
	int rc = 0;
	for (size_t i = 0; i < e->count && !rc; i++) {
		if (e->at[i].edit == IL_DATA_DELETE)
			rc = il_disk_entry_delete(d, t, e->at[i].name, e->at[i].name_size);
		if (rc == MDB_NOTFOUND && !e->one)
			rc = 0;
	}
	return rc;
}

static int set_all(struct il_disk_data *d, struct il_disk_txn *t, const struct edit *e)
{
	int rc = 0;
	for (size_t i = 0; i < e->count && !rc; i++) {
		const struct il_data_change *c = &e->at[i];
		struct il_entry entry = { c->name, c->value, c->name_size, c->size, e->version };
		if (c->edit == IL_DATA_SET)
			rc = il_disk_entry_set(d, t, &entry, (char *)c->name + c->name_size, c->ttl);
	}
	return rc;
}

static void announce(struct il_disk_data *d, struct il_disk_txn *t, const struct edit *e)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->at[i].edit != IL_DATA_CHECK)
			il_disk_announce(t, il_disk_data_key(d, e->at[i].name, e->at[i].name_size));
}

static int fit(struct il_disk_data *d, struct il_disk_txn *t, struct edit *e, size_t before)
{
	int rc = il_disk_entries_fit(d, t, before);
	e->over = rc == ENOSPC;
	return rc;
}

/* Deletes come first: what they free, the others may use. */
static int apply(struct il_disk_change *c, struct il_disk_txn *t)
{
	struct edit *e = edit_of(c);
	struct il_disk_data *d = data_of(c);
	size_t before;
	e->version = (int64_t)t->number << PUTS_BITS | t->puts;
	e->over = false;
	int rc = check(d, t, e);
	if (!rc)
		rc = il_disk_entries_pages(d, t, &before);
	if (!rc)
		rc = delete_all(d, t, e);
	if (!rc)
		rc = set_all(d, t, e);
	if (!rc)
		rc = fit(d, t, e, before);
	if (!rc)
		announce(d, t, e);
	return rc;
}

static void ended(struct il_disk_change *c)
{
	struct il_disk_data *d = data_of(c);
	d->data.shared.removed |= c->err == EIDRM;
	d->data.shared.why = c->err == ENOSPC && !edit_of(c)->over ? "the disk has no room" : NULL;
	if (c->op && !c->err)
		c->op->entry.version = edit_of(c)->version;
	il_disk_op_end(c, c->err);
}

static size_t bytes_of(const struct il_data_change *c)
{
	return c->name_size + (c->edit == IL_DATA_SET ? IL_STORED_HEAD + c->size : 0);
}

/* Returns what is behind its bytes. */
static char *copy(struct il_data_change *to, char *bytes, const struct il_data_change *from)
{
	*to = *from;
	to->name = bytes;
	memcpy(bytes, from->name, from->name_size);
	if (from->edit == IL_DATA_SET && from->size)
		memcpy(bytes + from->name_size + IL_STORED_HEAD, from->value, from->size);
	return bytes + bytes_of(from);
}

static struct edit *new_edit(struct il_op *op, size_t count, size_t bytes)
{
	struct edit *e = il_disk_change_new(sizeof *e, count * sizeof e->at[0] + bytes, &il_disk_data_of(op)->object);
	if (!e)
		return NULL;
	e->count = count;
	e->change.apply = apply;
	e->change.ended = ended;
	e->change.op = op;
	return e;
}

static int start_one(struct il_op *op, const struct il_data_change *c)
{
	struct edit *e = new_edit(op, 1, bytes_of(c));
	if (!e)
		return ENOMEM;
	e->one = true;
	copy(e->at, (char *)&e->at[1], c);
	return il_disk_change_start(&e->change);
}

/* Operations ---------------------------------------------------------------------------------------------- */

bool il_disk_data_set(struct il_op *op)
{
	op->err = EMSGSIZE;
	return op->size > il_disk_data_of(op)->data.max_value || il_disk_data_attempt(op);
}

int il_disk_data_set_start(struct il_op *op)
{
	struct il_data_change c = { .name = op->name,
		.value = op->data,
		.name_size = op->name_size,
		.size = op->size,
		.version = op->entry.version,
		.ttl = op->entry.ttl,
		.edit = IL_DATA_SET };
	return start_one(op, &c);
}

int il_disk_data_delete_start(struct il_op *op)
{
	struct il_data_change c = { .name = op->name,
		.name_size = op->name_size,
		.version = op->entry.version,
		.edit = IL_DATA_DELETE };
	return start_one(op, &c);
}

bool il_disk_data_cancel_change(struct il_op *op)
{
	if (il_disk_op_await(op))
		return true;
	il_disk_op_cancel(op);
	return false;
}

/* How many there are, and their bytes. True: all only check. */
static bool count_all(const struct il_op *op, size_t *count, size_t *bytes)
{
	struct il_data_change c;
	const char *at = op->data, *end = at + op->size;
	bool only_checks = true;
	for (*count = *bytes = 0; il_data_change_next(&at, end, &c); ++*count) {
		*bytes += bytes_of(&c);
		only_checks &= c.edit == IL_DATA_CHECK;
	}
	return only_checks;
}

static int check_all(struct il_disk_data *d, struct il_disk_txn *t, const struct il_op *op)
{
	struct il_data_change c;
	const char *at = op->data, *end = at + op->size;
	int rc = il_disk_object_use(&d->object, t);
	while (!rc && il_data_change_next(&at, end, &c))
		rc = check_one(d, t, &c);
	return rc;
}

/* One that writes nothing is a look. */
bool il_disk_data_change(struct il_op *op)
{
	struct il_disk_data *d = il_disk_data_of(op);
	struct il_disk_txn t;
	size_t count, bytes;
	int rc = count_all(op, &count, &bytes) ? il_disk_read(d->object.disk, &t) : EAGAIN;
	if (rc)
		return il_disk_data_attempt(op);
	rc = check_all(d, &t, op);
	il_disk_read_end(d->object.disk, &t);
	op->err = rc < 0 ? EAGAIN : rc;
	return op->err != EAGAIN || il_disk_data_attempt(op);
}

int il_disk_data_change_start(struct il_op *op)
{
	struct il_data_change c;
	const char *at = op->data, *end = at + op->size;
	size_t count, bytes;
	count_all(op, &count, &bytes);
	struct edit *e = new_edit(op, count, bytes);
	if (!e)
		return ENOMEM;
	char *to = (char *)&e->at[count];
	for (struct il_data_change *next = e->at; il_data_change_next(&at, end, &c); next++)
		to = copy(next, to, &c);
	return il_disk_change_start(&e->change);
}

static int apply_clear(struct il_disk_change *c, struct il_disk_txn *t)
{
	struct il_disk_data *d = data_of(c);
	size_t pages;
	int rc = il_disk_object_use(&d->object, t);
	if (!rc)
		rc = il_disk_entries_count(d, t, &edit_of(c)->number, &pages);
	if (!rc)
		rc = il_disk_entries_clear(d, t);
	if (!rc)
		il_disk_announce_all(t);
	return rc;
}

static void cleared(struct il_disk_change *c)
{
	if (c->op)
		c->op->entry.number = edit_of(c)->number;
	il_disk_op_end(c, c->err);
}

int il_disk_data_clear_start(struct il_op *op)
{
	struct edit *e = il_disk_change_new(sizeof *e, 0, &il_disk_data_of(op)->object);
	if (!e)
		return ENOMEM;
	e->change.apply = apply_clear;
	e->change.ended = cleared;
	e->change.op = op;
	return il_disk_change_start(&e->change);
}
