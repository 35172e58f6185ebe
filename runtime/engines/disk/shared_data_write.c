/* SPDX-License-Identifier: MIT
 *
 * Changing shared data on a disk. What is set in a transaction gets the transaction's number as its version, and how
 * many puts there were before it, so no name ever has one twice.
 * Floor 2.
 */
#include "engines/disk/shared_data_write.h"
#include "engines/disk/shared_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PUTS_BITS = 20 };

/* A name that is set, or deleted without a value; or all of them. */
struct edit {
	struct il_disk_change change;
	size_t name_size, size;
	int64_t check; /* the version that it has to have */
	int64_t version, count; /* out */
	bool deletes;
	char bytes[]; /* the name; room for the version; the value */
};

static struct il_disk_data *data_of(const struct il_disk_change *c)
{
	return il_container_of(c->object, struct il_disk_data, object);
}

static struct edit *edit_of(struct il_disk_change *c)
{
	return il_container_of(c, struct edit, change);
}

static int check_version(struct il_disk_data *d, struct il_disk_txn *t, const struct edit *e)
{
	struct il_entry old = { .version = 0 };
	if (e->check == IL_ANY_VERSION)
		return 0;
	int rc = il_disk_data_find(d, t, e->bytes, e->name_size, &old);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	return old.version == e->check ? 0 : ESTALE;
}

/* What takes no more than before is allowed. */
static int put(struct il_disk_data *d, struct il_disk_txn *t, struct edit *e)
{
	size_t before, after;
	int64_t version = (int64_t)t->number << PUTS_BITS | t->puts;
	memcpy(e->bytes + e->name_size, &version, IL_DISK_VERSION);
	int rc = il_disk_data_pages(d, t, &before);
	if (!rc)
		rc = il_disk_put(t, d->object.table, e->bytes, e->name_size, e->bytes + e->name_size,
			IL_DISK_VERSION + e->size);
	if (!rc)
		rc = il_disk_data_pages(d, t, &after);
	if (rc)
		return rc;
	e->version = version;
	return after > before && after > d->object.size / t->disk->page ? ENOSPC : 0;
}

static int apply(struct il_disk_change *c, struct il_disk_txn *t)
{
	struct edit *e = edit_of(c);
	struct il_disk_data *d = data_of(c);
	int rc = il_disk_object_use(&d->object, t);
	if (!rc)
		rc = check_version(d, t, e);
	if (!rc)
		rc = e->deletes ? il_disk_delete(t, d->object.table, e->bytes, e->name_size) : put(d, t, e);
	if (!rc)
		il_disk_announce(t, il_disk_data_key(d, e->bytes, e->name_size));
	return rc;
}

static void ended(struct il_disk_change *c)
{
	struct edit *e = edit_of(c);
	struct il_disk_data *d = data_of(c);
	d->data.shared.removed |= c->err == EIDRM;
	if (c->op && !c->err && !e->deletes)
		c->op->entry.version = e->version;
	il_disk_op_end(c, c->err);
}

static int start(struct il_op *op, bool deletes)
{
	struct il_disk_data *d = il_disk_data_of(op);
	size_t size = deletes ? 0 : op->size;
	struct edit *e = il_disk_change_new(sizeof *e, op->name_size + IL_DISK_VERSION + size, &d->object);
	if (!e)
		return ENOMEM;
	memcpy(e->bytes, op->name, op->name_size);
	if (size)
		memcpy(e->bytes + op->name_size + IL_DISK_VERSION, op->data, size);
	e->name_size = op->name_size;
	e->size = size;
	e->check = op->entry.version;
	e->deletes = deletes;
	e->change.apply = apply;
	e->change.ended = ended;
	e->change.op = op;
	return il_disk_change_start(&e->change);
}

bool il_disk_data_set(struct il_op *op)
{
	op->err = op->entry.ttl > 0 ? ENOTSUP : EMSGSIZE;
	return op->entry.ttl > 0 || op->size > il_disk_data_of(op)->data.max_value || il_disk_data_attempt(op);
}

int il_disk_data_set_start(struct il_op *op)
{
	return start(op, false);
}

int il_disk_data_delete_start(struct il_op *op)
{
	return start(op, true);
}

static int apply_clear(struct il_disk_change *c, struct il_disk_txn *t)
{
	struct il_disk_data *d = data_of(c);
	MDB_stat before;
	int rc = il_disk_object_use(&d->object, t);
	if (!rc)
		rc = il_disk_stat(t, d->object.table, &before);
	if (!rc)
		rc = il_disk_empty(t, d->object.table);
	if (rc)
		return rc;
	edit_of(c)->count = (int64_t)before.ms_entries;
	il_disk_announce_all(t);
	return 0;
}

static void cleared(struct il_disk_change *c)
{
	if (c->op)
		c->op->entry.number = edit_of(c)->count;
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
