/* SPDX-License-Identifier: MIT
 *
 * Dead letters of a queue on disk, see queue_dead.h. Floor 2.
 */
#include "engines/disk/queue_dead.h"

#include <errno.h>
#include <string.h>

int il_disk_dead_next(struct il_disk_records *r, uint64_t number, struct il_disk_message *m)
{
	struct il_disk_key key;
	il_disk_key_dead(&key, number + 1);
	int rc = il_disk_record_find(r, &key, false, m);
	return rc == MDB_NOTFOUND ? ENOENT : rc;
}

static int drop_oldest(struct il_disk_records *r)
{
	struct il_disk_message m;
	int rc = il_disk_dead_next(r, 0, &m);
	return rc ? (rc == ENOENT ? EUCLEAN : rc) : il_disk_record_delete(r, &m);
}

int il_disk_dead_shrink(struct il_disk_records *r, uint64_t bytes)
{
	int rc = 0;
	while (!rc && r->head.dead && r->head.bytes > bytes)
		rc = drop_oldest(r);
	return rc;
}

int il_disk_dead_add(struct il_disk_records *r, const struct il_disk_message *from, struct il_disk_message *to,
	uint32_t keep)
{
	to->record.state = IL_DISK_DEAD;
	to->record.number = ++r->head.number;
	int rc = il_disk_record_move(r, from, to);
	while (!rc && r->head.dead > keep)
		rc = drop_oldest(r);
	return rc;
}

/* Of one id, or all: the first whose number is greater. */
static int next_of(struct il_disk_records *r, const char *id, size_t size, uint64_t number, struct il_disk_message *m)
{
	struct il_disk_key key, wanted;
	if (!id)
		return il_disk_dead_next(r, number, m);
	il_disk_key_dead_id(&key, id, size, number + 1);
	wanted = key;
	int rc = il_disk_key_find(r, &key);
	if (rc)
		return rc == MDB_NOTFOUND ? ENOENT : rc;
	if (key.size != wanted.size || memcmp(key.bytes, wanted.bytes, key.size - 8u) != 0)
		return ENOENT;
	number = il_disk_key_number(&key);
	il_disk_key_dead(&key, number);
	rc = il_disk_record_find(r, &key, true, m);
	return rc == MDB_NOTFOUND ? EUCLEAN : rc;
}

static int drop(struct il_disk_records *r, const struct il_disk_message *m, int64_t *n)
{
	++*n;
	return il_disk_record_delete(r, m);
}

static int revive(struct il_disk_records *r, const struct il_disk_message *m, int64_t *n)
{
	struct il_disk_message to = *m;
	struct il_disk_key key;
	int rc = MDB_NOTFOUND;
	if (m->record.id_size) {
		il_disk_key_id(&key, m->id, m->record.id_size);
		rc = il_disk_record_has(r, &key);
	}
	if (rc != MDB_NOTFOUND)
		return rc;
	++*n;
	to.record.state = IL_DISK_READY;
	to.record.attempt = to.record.deaths = 0;
	to.record.reason_size = 0;
	return il_disk_record_move(r, m, &to);
}

static int each(struct il_disk_records *r, const char *id, size_t size, int64_t *n,
	int (*change)(struct il_disk_records *r, const struct il_disk_message *m, int64_t *n))
{
	struct il_disk_message m = { .record.number = 0 };
	int rc = 0;
	*n = 0;
	while (!rc) {
		rc = next_of(r, id, size, m.record.number, &m);
		if (rc)
			break;
		rc = change(r, &m, n);
	}
	return rc == ENOENT ? 0 : rc;
}

int il_disk_dead_revive(struct il_disk_records *r, const char *id, size_t size, int64_t *n)
{
	return each(r, id, size, n, revive);
}

int il_disk_dead_drop(struct il_disk_records *r, const char *id, size_t size, int64_t *n)
{
	return each(r, id, size, n, drop);
}
