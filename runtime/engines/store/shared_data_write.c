/* SPDX-License-Identifier: MIT
 *
 * Changes of shared data: each is one transaction of LMDB, announced with the lock and before it is committed. What has
 * no room is tried again when names that are gone have given theirs, or readers have ended.
 * Floor 2.
 */
#include "engines/store/shared_data_write.h"
#include "base/shared_atomic.h"
#include "engines/store/environment.h"
#include "engines/store/record.h"

#include <errno.h>

/* A change in a transaction, and its announcement: LMDB's result, or errno. */
typedef int edit(struct il_store *s, MDB_txn *txn, void *arg);

static int try_once(struct il_store *s, edit *fn, void *arg, bool patiently, int *rc)
{
	MDB_txn *txn;
	int err = il_store_begin(s, &txn, patiently);
	if (err)
		return err;
	*rc = fn(s, txn, arg);
	if (!*rc)
		*rc = il_store_commit(s, txn);
	else
		il_store_abort(s, txn);
	return il_store_errno(*rc);
}

static int sweep(struct il_store *s, MDB_txn *txn, void *arg)
{
	(void)arg;
	return il_record_sweep(s, txn);
}

/* True: some names that are gone have given their room. Or another reason than a want of room is in *err. */
static bool make_room(struct il_store *s, bool patiently, int *err)
{
	if (!il_get(&s->control->expiring))
		return false;
	int rc, how = try_once(s, sweep, NULL, patiently, &rc);
	if (how == EAGAIN)
		*err = EAGAIN;
	return !how;
}

static int change(struct il_store *s, edit *fn, void *arg, bool patiently)
{
	struct il_store_room room = { 0 };
	int rc, err;
	do {
		rc = 0;
		err = try_once(s, fn, arg, patiently, &rc);
	} while ((err == ENOSPC && make_room(s, patiently, &err)) ||
		(rc == MDB_MAP_FULL && err == ENOSPC && il_store_wait_for_room(s, &room, patiently, &err)));
	if (err)
		return err;
	il_patience_renew(&s->patience.reader);
	il_wait_queue_retry(&s->waits);
	return 0;
}

/* One name ---------------------------------------------------------------------------------------------- */

struct set {
	struct il_entry entry;
	int64_t check, ttl;
};

static int set_one(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct set *set = arg;
	struct il_entry *e = &set->entry;
	int rc = il_stored_check(txn, s->dbi, e->name, e->name_size, set->check);
	if (!rc)
		rc = il_record_set(s, txn, e, set->ttl);
	if (rc)
		return rc;
	e->version = (int64_t)mdb_txn_id(txn);
	il_store_change(s, e->name, e->name_size);
	return 0;
}

int il_store_set(struct il_store *s, struct il_op *op, bool patiently)
{
	struct set set = { { op->name, op->data, op->name_size, op->size, 0 }, op->entry.version, op->entry.ttl };
	int err = change(s, set_one, &set, patiently);
	if (!err)
		op->entry.version = set.entry.version;
	return err;
}

static int delete_one(struct il_store *s, MDB_txn *txn, void *arg)
{
	const struct il_op *op = arg;
	int rc = il_stored_check(txn, s->dbi, op->name, op->name_size, op->entry.version);
	if (!rc)
		rc = il_record_delete(s, txn, op->name, op->name_size);
	if (!rc)
		il_store_change(s, op->name, op->name_size);
	return rc;
}

int il_store_delete(struct il_store *s, struct il_op *op, bool patiently)
{
	return change(s, delete_one, op, patiently);
}

/* Many names -------------------------------------------------------------------------------------------- */

struct changes {
	const char *at, *end; /* see il_data_change_next */
	int64_t version;
};

static int check_all(struct il_store *s, MDB_txn *txn, void *arg)
{
	const struct changes *all = arg;
	struct il_data_change c;
	int rc = 0;
	for (const char *at = all->at; !rc && il_data_change_next(&at, all->end, &c);)
		rc = il_stored_check(txn, s->dbi, c.name, c.name_size, c.version);
	return rc;
}

static int edit_one(struct il_store *s, MDB_txn *txn, const struct il_data_change *c)
{
	struct il_entry e = { c->name, c->value, c->name_size, c->size, 0 };
	if (c->edit == IL_DATA_SET)
		return il_record_put(s, txn, &e, c->ttl);
	int rc = il_record_delete(s, txn, c->name, c->name_size);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int edit_all(struct il_store *s, MDB_txn *txn, const struct changes *all, enum il_data_edit which)
{
	struct il_data_change c;
	int rc = 0;
	for (const char *at = all->at; !rc && il_data_change_next(&at, all->end, &c);)
		rc = c.edit == which ? edit_one(s, txn, &c) : 0;
	return rc;
}

static size_t count_edits(const struct changes *all)
{
	struct il_data_change c;
	size_t n = 0;
	for (const char *at = all->at; il_data_change_next(&at, all->end, &c);)
		n += c.edit != IL_DATA_CHECK;
	return n;
}

static void announce_all(struct il_store *s, const struct changes *all)
{
	struct il_data_change c;
	if (count_edits(all) > IL_RECENT) {
		il_store_change_many(s);
		return;
	}
	for (const char *at = all->at; il_data_change_next(&at, all->end, &c);)
		if (c.edit != IL_DATA_CHECK)
			il_store_change(s, c.name, c.name_size);
}

/* Deletes come first: what they free, the others may use. */
static int change_all(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct changes *all = arg;
	size_t before;
	int rc = check_all(s, txn, all);
	if (!rc)
		rc = il_record_pages(s, txn, &before);
	if (!rc)
		rc = edit_all(s, txn, all, IL_DATA_DELETE);
	if (!rc)
		rc = edit_all(s, txn, all, IL_DATA_SET);
	if (!rc)
		rc = il_record_check_room(s, txn, before);
	if (rc)
		return rc;
	all->version = (int64_t)mdb_txn_id(txn);
	announce_all(s, all);
	return 0;
}

int il_store_change_names(struct il_store *s, struct il_op *op, bool patiently)
{
	struct changes all = { .at = op->data, .end = (const char *)op->data + op->size };
	if (!count_edits(&all))
		return il_store_read(s, check_all, &all, patiently);
	int err = change(s, change_all, &all, patiently);
	op->entry.version = all.version;
	return err;
}

/* Every name: they are not announced one by one. */
static int clear_all(struct il_store *s, MDB_txn *txn, void *arg)
{
	struct il_op *op = arg;
	size_t pages;
	int rc = il_record_count(s, txn, &op->entry.number, &pages);
	if (!rc)
		rc = il_record_clear(s, txn);
	if (!rc)
		il_store_change_many(s);
	return rc;
}

int il_store_clear(struct il_store *s, struct il_op *op, bool patiently)
{
	return change(s, clear_all, op, patiently);
}
