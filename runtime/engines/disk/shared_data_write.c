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
	bool one; /* that it is not there is told */
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

static int check(struct il_disk_data *d, struct il_disk_txn *t, const struct il_data_change *at, size_t count)
{
	int rc = il_disk_object_use(&d->object, t);
	for (size_t i = 0; i < count && !rc; i++) {
		struct il_disk_entry e = { .entry.version = 0 };
		if (at[i].version == IL_ANY_VERSION)
			continue;
		rc = il_disk_entry_find(d, t, at[i].name, at[i].name_size, &e);
		if (!rc || rc == MDB_NOTFOUND)
			rc = (rc ? 0 : e.entry.version) == at[i].version ? 0 : ESTALE;
	}
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
	int rc = check(d, t, e->at, e->count);
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
	return c->name_size + (c->edit == IL_DATA_SET ? IL_DISK_ENTRY_HEAD + c->size : 0);
}

static void copy(struct edit *e, const struct il_data_change *from)
{
	char *to = (char *)&e->at[e->count];
	for (size_t i = 0; i < e->count; i++) {
		e->at[i] = from[i];
		e->at[i].name = to;
		memcpy(to, from[i].name, from[i].name_size);
		if (from[i].edit == IL_DATA_SET && from[i].size)
			memcpy(to + from[i].name_size + IL_DISK_ENTRY_HEAD, from[i].value, from[i].size);
		to += bytes_of(&from[i]);
	}
}

static int start(struct il_op *op, const struct il_data_change *from, size_t count, bool one)
{
	size_t more = count * sizeof *from;
	for (size_t i = 0; i < count; i++)
		more += bytes_of(&from[i]);
	struct edit *e = il_disk_change_new(sizeof *e, more, &il_disk_data_of(op)->object);
	if (!e)
		return ENOMEM;
	e->count = count;
	e->one = one;
	copy(e, from);
	e->change.apply = apply;
	e->change.ended = ended;
	e->change.op = op;
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
	return start(op, &c, 1, true);
}

int il_disk_data_delete_start(struct il_op *op)
{
	struct il_data_change c = { .name = op->name,
		.name_size = op->name_size,
		.version = op->entry.version,
		.edit = IL_DATA_DELETE };
	return start(op, &c, 1, true);
}

static bool only_checks(const struct il_op *op)
{
	const struct il_data_change *at = op->data;
	for (size_t i = 0; i < op->size; i++)
		if (at[i].edit != IL_DATA_CHECK)
			return false;
	return true;
}

/* One that writes nothing is a look. */
bool il_disk_data_change(struct il_op *op)
{
	struct il_disk_data *d = il_disk_data_of(op);
	struct il_disk_txn t;
	int rc = only_checks(op) ? il_disk_read(d->object.disk, &t) : EAGAIN;
	if (rc)
		return il_disk_data_attempt(op);
	rc = check(d, &t, op->data, op->size);
	il_disk_read_end(d->object.disk, &t);
	op->err = rc < 0 ? EAGAIN : rc;
	return op->err != EAGAIN || il_disk_data_attempt(op);
}

int il_disk_data_change_start(struct il_op *op)
{
	return start(op, op->data, op->size, false);
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
