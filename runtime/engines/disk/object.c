/* SPDX-License-Identifier: MIT
 *
 * Named objects, see object.h. Floor 2.
 */
#include "engines/disk/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	uint64_t id, size;
};

int il_disk_object_init(struct il_disk_object *o, const struct il_key *key, const char *noun, unsigned mode,
	void (*free_object)(struct il_disk_object *o))
{
	char *name = NULL;
	o->existing = mode == IL_MODE_EXISTING;
	int err = il_disk_open(key->name, o->existing, &o->disk);
	if (err)
		return err;
	int size = asprintf(&name, "%s:%s", noun, key->object);
	o->objects = size < 0 ? NULL : il_disk_table(o->disk, "objects");
	o->table = o->objects ? il_disk_table(o->disk, name) : NULL;
	if (o->table) {
		o->key = il_disk_key_of(0, name, (size_t)size);
		o->refs = 1;
		o->free = free_object;
		il_list_init(&o->changes);
	} else {
		if (o->objects)
			il_disk_table_drop(o->disk, o->objects);
		il_disk_drop(o->disk);
		err = ENOMEM;
	}
	if (size >= 0)
		free(name);
	return err;
}

int il_disk_object_index(struct il_disk_object *o, const struct il_key *key, const char *noun)
{
	char *name = NULL;
	if (asprintf(&name, "%s:%s", noun, key->object) < 0)
		return ENOMEM;
	o->index = il_disk_table(o->disk, name);
	free(name);
	return o->index ? 0 : ENOMEM;
}

void il_disk_object_drop(struct il_disk_object *o)
{
	if (--o->refs)
		return;
	if (o->index)
		il_disk_table_drop(o->disk, o->index);
	il_disk_table_drop(o->disk, o->table);
	il_disk_table_drop(o->disk, o->objects);
	il_disk_drop(o->disk);
	o->free(o);
}

static int find(struct il_disk_object *o, struct il_disk_txn *t, struct record *r)
{
	MDB_val value;
	int rc = il_disk_table_use(t, o->objects, false);
	if (!rc)
		rc = il_disk_get(t, o->objects, o->table->name, strlen(o->table->name), &value);
	if (!rc && value.mv_size != sizeof *r)
		rc = MDB_CORRUPTED;
	if (!rc)
		memcpy(r, value.mv_data, sizeof *r);
	return rc;
}

static int use_tables(struct il_disk_object *o, struct il_disk_txn *t, bool make)
{
	int rc = il_disk_table_use(t, o->table, make);
	if (!rc && o->index)
		rc = il_disk_table_use(t, o->index, make);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int write_record(struct il_disk_object *o, struct il_disk_txn *t, const struct record *r)
{
	return il_disk_put(t, o->objects, o->table->name, strlen(o->table->name), r, sizeof *r);
}

static int make(struct il_disk_object *o, struct il_disk_txn *t, struct record *r)
{
	int rc = il_disk_table_use(t, o->objects, true);
	r->id = t->number << 20 | t->puts; /* several in one transaction */
	return rc ? rc : write_record(o, t, r);
}

int il_disk_object_make(struct il_disk_object *o, struct il_disk_txn *t, uint64_t size, uint64_t usual, bool *made)
{
	struct record r = { .size = size ? size : usual };
	int rc = find(o, t, &r);
	*made = rc == MDB_NOTFOUND;
	if (*made && o->existing)
		return ENOENT;
	if (*made)
		rc = make(o, t, &r);
	if (!rc)
		rc = use_tables(o, t, *made);
	if (rc)
		return rc;
	o->size = r.size;
	if (size && size != r.size)
		return EEXIST;
	o->id = r.id;
	return 0;
}

int il_disk_object_use(struct il_disk_object *o, struct il_disk_txn *t)
{
	struct record r;
	int rc = find(o, t, &r);
	if (rc == MDB_NOTFOUND || (!rc && r.id != o->id))
		return EIDRM;
	return rc ? rc : use_tables(o, t, false);
}

int il_disk_object_touch(struct il_disk_object *o, struct il_disk_txn *t)
{
	struct record r;
	int rc = find(o, t, &r);
	return rc ? rc : write_record(o, t, &r);
}

int il_disk_object_remove(struct il_disk_object *o, struct il_disk_txn *t)
{
	int rc = il_disk_object_use(o, t);
	if (!rc)
		rc = il_disk_delete(t, o->objects, o->table->name, strlen(o->table->name));
	if (!rc)
		rc = il_disk_remove(t, o->table);
	if (!rc && o->index)
		rc = il_disk_remove(t, o->index);
	il_disk_announce(t, o->key);
	return rc;
}
