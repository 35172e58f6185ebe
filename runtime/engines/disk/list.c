/* SPDX-License-Identifier: MIT
 *
 * The objects of a folder, see list.h: the names in its table "objects". The processes that use the folder have its
 * control file mapped; which of its objects they use is not known. Floor 2.
 */
#include "engines/disk/list.h"
#include "engines/disk/environment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* "queue:jobs" */
static int add(const char *folder, const struct stat *control, const MDB_val *name, struct il_listing *l)
{
	const char *text = name->mv_data, *colon = memchr(text, ':', name->mv_size);
	size_t size = colon ? (size_t)(colon - text) : 0;
	bool queue = size == strlen("queue") && memcmp(text, "queue", size) == 0;
	if (!colon || !(queue || (size == strlen("data") && memcmp(text, "data", size) == 0)))
		return 0;
	struct il_found *f = il_listing_add(l, "disk");
	if (!f)
		return ENOMEM;
	il_found_file(f, control);
	f->size = 0;
	f->holds = true;
	f->noun = queue ? "queue" : "shared_data";
	snprintf(f->key, sizeof f->key, "disk:%s?name=%.*s", folder, (int)(name->mv_size - size - 1), colon + 1);
	return 0;
}

/* The handle of the table is this look's alone. LMDB's result, or errno. */
static int read_names(const char *folder, const struct stat *control, MDB_txn *txn, struct il_listing *l)
{
	MDB_cursor *cursor;
	MDB_val name, record;
	MDB_dbi dbi;
	int rc = mdb_dbi_open(txn, "objects", 0, &dbi);
	if (!rc)
		rc = mdb_cursor_open(txn, dbi, &cursor);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	while (!rc && (rc = mdb_cursor_get(cursor, &name, &record, MDB_NEXT)) == 0)
		rc = add(folder, control, &name, l);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int il_disk_list(const char *folder, struct il_listing *l)
{
	struct il_disk_txn t;
	struct il_disk *d;
	struct stat control;
	int err = folder ? il_disk_open(folder, true, &d) : ENOTSUP;
	if (err)
		return err;
	err = fstat(d->fd, &control) ? errno : il_disk_read(d, &t);
	if (!err) {
		err = il_disk_errno(read_names(folder, &control, t.txn, l));
		il_disk_read_end(d, &t);
	}
	il_disk_drop(d);
	return err;
}
