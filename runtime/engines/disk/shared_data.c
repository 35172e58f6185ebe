/* SPDX-License-Identifier: MIT
 *
 * Shared data on a disk: a table of names and values. Here are its beginning and its end.
 * Floor 2.
 */
#include "engines/disk/shared_data.h"
#include "engines/disk/disk.h"
#include "engines/disk/entry.h"
#include "engines/disk/options.h"
#include "engines/disk/shared_data_read.h"
#include "engines/disk/shared_data_write.h"

#include <errno.h>
#include <stdlib.h>

enum { USUAL_SIZE = 1 << 30, LARGEST_VALUE = 1 << 28, PAGE_HEADER = 16 };

uint64_t il_disk_data_key(const struct il_disk_data *d, const void *name, size_t size)
{
	return il_disk_key_of(d->object.key, name, size);
}

bool il_disk_data_attempt(struct il_op *op)
{
	op->remote = true;
	if (!op->last)
		return false;
	int err = op->type->start(op);
	if (err)
		op->err = err;
	return true;
}

/* Opening and removing ------------------------------------------------------------------------------------ */

struct whole {
	struct il_disk_change change;
	uint64_t size;
};

static struct il_disk_data *data_of(const struct il_disk_change *c)
{
	return il_container_of(c->object, struct il_disk_data, object);
}

static int apply_open(struct il_disk_change *c, struct il_disk_txn *t)
{
	bool made;
	uint64_t size = il_container_of(c, struct whole, change)->size;
	return il_disk_object_make(c->object, t, size, USUAL_SIZE, &made);
}

static void opened(struct il_disk_change *c)
{
	struct il_disk_data *d = data_of(c);
	if (!c->err || c->err == EEXIST)
		d->data.size = d->object.size;
	size_t largest = d->data.size / 4 - PAGE_HEADER - IL_STORED_HEAD;
	d->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	il_disk_op_end(c, c->err);
}

static int apply_remove(struct il_disk_change *c, struct il_disk_txn *t)
{
	int rc = il_disk_object_remove(c->object, t);
	il_disk_announce_all(t);
	return rc;
}

static void removed(struct il_disk_change *c)
{
	data_of(c)->data.shared.removed |= !c->err || c->err == EIDRM;
	il_disk_op_end(c, c->err);
}

static int start(struct il_op *op, int (*apply)(struct il_disk_change *c, struct il_disk_txn *t),
	void (*ended)(struct il_disk_change *c))
{
	struct il_disk_data *d = il_disk_data_of(op);
	struct whole *w = il_disk_change_new(sizeof *w, 0, &d->object);
	if (!w)
		return ENOMEM;
	w->size = d->data.size;
	w->change.apply = apply;
	w->change.ended = ended;
	w->change.op = op;
	return il_disk_change_start(&w->change);
}

static int open_start(struct il_op *op)
{
	return start(op, apply_open, opened);
}

static int remove_start(struct il_op *op)
{
	return start(op, apply_remove, removed);
}

static void close_data(struct il_data *data)
{
	struct il_disk_data *d = il_container_of(data, struct il_disk_data, data);
	il_disk_ops_close(&d->object);
	il_disk_object_drop(&d->object);
}

static void free_data(struct il_disk_object *o)
{
	struct il_disk_data *d = il_container_of(o, struct il_disk_data, object);
	free(d->read.bytes);
	free(d);
}

static const struct il_data_ops ops = {
	.open = { "shared data", il_disk_data_attempt, open_start, il_disk_data_cancel },
	.wait = { "shared data wait", il_disk_data_wait, il_disk_data_wait_start, il_disk_data_cancel },
	.get = { "shared data get", il_disk_data_get, il_disk_data_get_start, il_disk_data_cancel },
	.next = { "shared data pairs", il_disk_data_next, il_disk_data_next_start, il_disk_data_cancel },
	.each = { "shared data each", il_disk_data_each, il_disk_data_each_start, il_disk_data_cancel },
	.set = { "shared data set", il_disk_data_set, il_disk_data_set_start, il_disk_data_cancel_change },
	.delete = { "shared data delete", il_disk_data_attempt, il_disk_data_delete_start, il_disk_data_cancel_change },
	.change = { "shared data change", il_disk_data_change, il_disk_data_change_start, il_disk_data_cancel_change },
	.clear = { "shared data clear", il_disk_data_attempt, il_disk_data_clear_start, il_disk_data_cancel_change },
	.stat = { "shared data stat", il_disk_data_stat, il_disk_data_stat_start, il_disk_data_cancel },
	.remove = { "shared data remove", il_disk_data_attempt, remove_start, il_disk_data_cancel_change },
	.close = close_data,
};

/* Until it is open, its size is what the options want. */
int il_disk_data(const struct il_key *key, struct il_data_options *options, struct il_data **data)
{
	int err = il_disk_check_options(options->mode);
	struct il_disk_data *d = err ? NULL : calloc(1, sizeof *d);
	if (!d)
		return err ? err : ENOMEM;
	err = il_disk_object_init(&d->object, key, "data", options->mode, free_data);
	if (err) {
		free(d);
		return err;
	}
	err = il_disk_object_index(&d->object, key, "due");
	if (err) {
		il_disk_object_drop(&d->object);
		return err;
	}
	d->object.soon = options->sync == IL_SYNC_SOON;
	d->data.shared.warning = d->object.disk->warning;
	d->data.ops = &ops;
	d->data.size = options->size;
	*data = &d->data;
	return 0;
}
