/* SPDX-License-Identifier: MIT
 *
 * Records of a queue on disk, see queue_record.h. Floor 2.
 */
#include "engines/disk/queue_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t MAGIC = 0x31657565756c6970; /* the last byte is the layout's */

enum { LARGEST = sizeof(struct il_disk_record) + IL_JOB_ID_MAX + IL_JOB_REASON_MAX + IL_DISK_RECORD_INLINE };

_Static_assert(sizeof(struct il_disk_record) == 96, "the layout of a record");
_Static_assert(sizeof(struct il_disk_queue_head) == 104, "the layout of a head");

/* Keys ---------------------------------------------------------------------------------------------------- */

static void begin(struct il_disk_key *key, char tag)
{
	key->bytes[0] = (uint8_t)tag;
	key->size = 1;
}

static void add_number(struct il_disk_key *key, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		key->bytes[key->size++] = (uint8_t)(n >> (56 - 8 * i));
}

static uint64_t number_at(const struct il_disk_key *key, size_t at)
{
	uint64_t n = 0;
	for (size_t i = at; i < at + 8; i++)
		n = n << 8 | key->bytes[i];
	return n;
}

static void add_bytes(struct il_disk_key *key, const void *bytes, size_t size)
{
	memcpy(key->bytes + key->size, bytes, size);
	key->size = (uint16_t)(key->size + size);
}

void il_disk_key_ready(struct il_disk_key *key, uint64_t sequence)
{
	begin(key, IL_DISK_READY);
	add_number(key, sequence);
}

void il_disk_key_type(struct il_disk_key *key, int64_t type, uint64_t sequence)
{
	begin(key, 't');
	add_number(key, (uint64_t)type);
	add_number(key, sequence);
}

void il_disk_key_delayed(struct il_disk_key *key, int64_t due, uint64_t sequence)
{
	begin(key, IL_DISK_DELAYED);
	add_number(key, (uint64_t)due);
	add_number(key, sequence);
}

void il_disk_key_taken(struct il_disk_key *key, const struct il_disk_holder *holder, uint64_t sequence)
{
	begin(key, IL_DISK_TAKEN);
	add_number(key, holder->world);
	add_number(key, holder->start);
	add_number(key, (uint64_t)holder->pid << 32 | holder->handle);
	add_number(key, sequence);
}

void il_disk_key_taker(struct il_disk_key *key, const struct il_disk_holder *process)
{
	begin(key, 'u');
	add_number(key, process->world);
	add_number(key, process->start);
	add_number(key, (uint64_t)process->pid << 32);
}

void il_disk_key_dead(struct il_disk_key *key, uint64_t number)
{
	begin(key, IL_DISK_DEAD);
	add_number(key, number);
}

static void payload_key(struct il_disk_key *key, uint64_t sequence)
{
	begin(key, 'p');
	add_number(key, sequence);
}

uint64_t il_disk_key_number(const struct il_disk_key *key)
{
	return number_at(key, key->size - 8u);
}

int64_t il_disk_key_first(const struct il_disk_key *key)
{
	return (int64_t)number_at(key, 1);
}

struct il_disk_holder il_disk_key_holder(const struct il_disk_key *key)
{
	uint64_t process = number_at(key, 17);
	return (struct il_disk_holder){ .world = number_at(key, 1),
		.start = number_at(key, 9),
		.pid = (uint32_t)(process >> 32),
		.handle = (uint32_t)process };
}

void il_disk_key_dead_id(struct il_disk_key *key, const char *id, size_t size, uint64_t number)
{
	uint8_t length = (uint8_t)size;
	begin(key, 'j');
	add_bytes(key, &length, 1);
	add_bytes(key, id, size);
	add_number(key, number);
}

void il_disk_key_id(struct il_disk_key *key, const char *id, size_t size)
{
	begin(key, 'i');
	add_bytes(key, id, size);
}

/* Where a record is. */
static void key_of(const struct il_disk_record *record, struct il_disk_key *key)
{
	switch (record->state) {
	case IL_DISK_READY: il_disk_key_ready(key, record->sequence); break;
	case IL_DISK_DELAYED: il_disk_key_delayed(key, record->due, record->sequence); break;
	case IL_DISK_TAKEN: il_disk_key_taken(key, &record->holder, record->sequence); break;
	default: il_disk_key_dead(key, record->number);
	}
}

/* Ids have any size. Other keys have that of their kind. */
static bool is_sound(const MDB_val *key)
{
	switch (*(const char *)key->mv_data) {
	case 'h': return key->mv_size == 1;
	case IL_DISK_READY:
	case IL_DISK_DEAD:
	case 'p': return key->mv_size == 1 + 8;
	case 't':
	case IL_DISK_DELAYED: return key->mv_size == 1 + 8 + 8;
	case 'u': return key->mv_size == 1 + 24;
	case IL_DISK_TAKEN: return key->mv_size == 1 + 24 + 8;
	case 'j': return key->mv_size >= 1 + 1 + 8 && key->mv_size <= 1 + 1 + IL_JOB_ID_MAX + 8;
	case 'i': return key->mv_size > 1 && key->mv_size <= 1 + IL_JOB_ID_MAX;
	default: return false;
	}
}

/* Reading --------------------------------------------------------------------------------------------------- */

/* The entry at a key, or the first one behind it with the same first byte; the key becomes its. */
static int find(struct il_disk_records *r, struct il_disk_key *key, MDB_val *value)
{
	MDB_cursor *cursor;
	MDB_val at = { key->size, key->bytes };
	int rc = il_disk_cursor(r->t, r->table, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &at, value, MDB_SET_RANGE);
	mdb_cursor_close(cursor);
	if (rc)
		return rc;
	if (!at.mv_size || *(const uint8_t *)at.mv_data != key->bytes[0])
		return MDB_NOTFOUND;
	if (!is_sound(&at))
		return EUCLEAN;
	key->size = 0;
	add_bytes(key, at.mv_data, at.mv_size);
	return 0;
}

int il_disk_key_find(struct il_disk_records *r, struct il_disk_key *key)
{
	MDB_val value;
	return find(r, key, &value);
}

int il_disk_record_has(struct il_disk_records *r, const struct il_disk_key *key)
{
	MDB_val value;
	return il_disk_get(r->t, r->table, key->bytes, key->size, &value);
}

static int find_payload(struct il_disk_records *r, struct il_disk_message *m)
{
	struct il_disk_key key;
	MDB_val value;
	payload_key(&key, m->record.sequence);
	int rc = il_disk_get(r->t, r->table, key.bytes, key.size, &value);
	if (rc)
		return rc == MDB_NOTFOUND ? EUCLEAN : rc;
	m->data = value.mv_data;
	return value.mv_size == m->record.size ? 0 : EUCLEAN;
}

static bool is_inline(const struct il_disk_record *record)
{
	return record->size <= IL_DISK_RECORD_INLINE;
}

static int decode(struct il_disk_records *r, const MDB_val *value, struct il_disk_message *m)
{
	struct il_disk_record *record = &m->record;
	if (value->mv_size < sizeof *record)
		return EUCLEAN;
	memcpy(record, value->mv_data, sizeof *record);
	size_t texts = (size_t)record->id_size + record->reason_size;
	if (value->mv_size != sizeof *record + texts + (is_inline(record) ? record->size : 0))
		return EUCLEAN;
	m->id = (const char *)value->mv_data + sizeof *record;
	m->reason = m->id + record->id_size;
	m->data = m->reason + record->reason_size;
	return is_inline(record) ? 0 : find_payload(r, m);
}

static bool is_same(const struct il_disk_key *a, const struct il_disk_key *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

int il_disk_record_find(struct il_disk_records *r, const struct il_disk_key *key, bool exact, struct il_disk_message *m)
{
	struct il_disk_key found = *key, own;
	MDB_val value;
	int rc = find(r, &found, &value);
	if (!rc && exact && !is_same(&found, key))
		return MDB_NOTFOUND;
	if (!rc)
		rc = decode(r, &value, m);
	if (rc)
		return rc;
	key_of(&m->record, &own); /* a search that goes on behind it gets on */
	return is_same(&own, &found) ? 0 : EUCLEAN;
}

size_t il_disk_record_id(const struct il_disk_message *m, char id[IL_JOB_ID_MAX + 1])
{
	size_t size = m->record.id_size;
	if (!size)
		return (size_t)snprintf(id, IL_JOB_ID_MAX + 1, "#%llu", (unsigned long long)m->record.sequence);
	memcpy(id, m->id, size);
	id[size] = '\0';
	return size;
}

/* The head ---------------------------------------------------------------------------------------------------- */

static const char HEAD[] = "h";

static int write_head(struct il_disk_records *r)
{
	return il_disk_put(r->t, r->table, HEAD, 1, &r->head, sizeof r->head);
}

int il_disk_records_make(struct il_disk_txn *t, struct il_disk_table *table, uint64_t capacity)
{
	struct il_disk_records r = { .t = t, .table = table };
	MDB_val value;
	int rc = il_disk_get(t, table, HEAD, 1, &value);
	r.head = (struct il_disk_queue_head){ .magic = MAGIC, .capacity = capacity };
	return rc == MDB_NOTFOUND ? write_head(&r) : rc ? rc : EEXIST;
}

int il_disk_records_begin(struct il_disk_records *r, struct il_disk_txn *t, struct il_disk_table *table)
{
	MDB_val value;
	*r = (struct il_disk_records){ .t = t, .table = table };
	int rc = il_disk_get(t, table, HEAD, 1, &value);
	if (rc || value.mv_size < sizeof r->head.magic)
		return rc == MDB_NOTFOUND || !rc ? EUCLEAN : rc;
	memcpy(&r->head, value.mv_data, value.mv_size < sizeof r->head ? sizeof r->head.magic : sizeof r->head);
	if (r->head.magic == MAGIC)
		return value.mv_size == sizeof r->head ? 0 : EUCLEAN;
	return (r->head.magic ^ MAGIC) << 8 == 0 ? EPROTO : EUCLEAN;
}

int il_disk_records_end(struct il_disk_records *r)
{
	return r->changed ? write_head(r) : 0;
}

/* Entries ----------------------------------------------------------------------------------------------------- */

static int put(struct il_disk_records *r, const struct il_disk_key *key, const void *data, size_t size)
{
	return il_disk_put(r->t, r->table, key->bytes, key->size, data, size);
}

static int erase(struct il_disk_records *r, const struct il_disk_key *key)
{
	int rc = il_disk_delete(r->t, r->table, key->bytes, key->size);
	return rc == MDB_NOTFOUND ? EUCLEAN : rc;
}

/* The entries beside the record that its state has. */
static int each_index(struct il_disk_records *r, const struct il_disk_message *m,
	int (*change)(struct il_disk_records *r, const struct il_disk_key *key))
{
	struct il_disk_key key;
	const struct il_disk_record *record = &m->record;
	if (record->state == IL_DISK_DEAD) {
		char id[IL_JOB_ID_MAX + 1];
		il_disk_key_dead_id(&key, id, il_disk_record_id(m, id), record->number);
		return change(r, &key);
	}
	int rc = 0;
	if (record->id_size) {
		il_disk_key_id(&key, m->id, record->id_size);
		rc = change(r, &key);
	}
	if (!rc && record->state == IL_DISK_READY) {
		il_disk_key_type(&key, record->type, record->sequence);
		rc = change(r, &key);
	}
	return rc;
}

static int put_empty(struct il_disk_records *r, const struct il_disk_key *key)
{
	return put(r, key, "", 0);
}

static void count(struct il_disk_records *r, const struct il_disk_record *record, uint64_t n)
{
	struct il_disk_queue_head *head = &r->head;
	uint64_t *counter = record->state == IL_DISK_READY ? &head->ready
		: record->state == IL_DISK_DELAYED         ? &head->delayed
		: record->state == IL_DISK_TAKEN           ? &head->taken
							   : &head->dead;
	*counter += n;
	head->bytes += n * record->size;
	if (record->state == IL_DISK_DEAD)
		head->dead_bytes += n * record->size;
	r->changed = true;
}

static int write_record(struct il_disk_records *r, const struct il_disk_message *m)
{
	const struct il_disk_record *record = &m->record;
	struct il_disk_key key;
	char bytes[LARGEST];
	size_t size = sizeof *record, texts = (size_t)record->id_size + record->reason_size;
	memcpy(bytes, record, size);
	if (record->id_size)
		memcpy(bytes + size, m->id, record->id_size);
	if (record->reason_size)
		memcpy(bytes + size + record->id_size, m->reason, record->reason_size);
	size += texts;
	if (is_inline(record) && record->size) {
		memcpy(bytes + size, m->data, record->size);
		size += record->size;
	}
	key_of(record, &key);
	return put(r, &key, bytes, size);
}

int il_disk_record_add(struct il_disk_records *r, const struct il_disk_message *m)
{
	struct il_disk_key key;
	int rc = write_record(r, m);
	if (!rc)
		rc = each_index(r, m, put_empty);
	if (!rc && !is_inline(&m->record)) {
		payload_key(&key, m->record.sequence);
		rc = put(r, &key, m->data, m->record.size);
	}
	if (!rc)
		count(r, &m->record, 1);
	return rc;
}

/* Without the bytes of a large message. */
static int take_out(struct il_disk_records *r, const struct il_disk_message *m)
{
	struct il_disk_key key;
	int rc = each_index(r, m, erase);
	key_of(&m->record, &key);
	if (!rc)
		rc = erase(r, &key);
	if (!rc)
		count(r, &m->record, (uint64_t)-1);
	return rc;
}

/* A change of the transaction may move what the parts of a message point to. */
int il_disk_record_move(struct il_disk_records *r, const struct il_disk_message *from, const struct il_disk_message *to)
{
	char bytes[LARGEST], *end = bytes;
	struct il_disk_message copy = *to;
	copy.id = memcpy(end, to->id, to->record.id_size);
	end += to->record.id_size;
	copy.reason = memcpy(end, to->reason, to->record.reason_size);
	end += to->record.reason_size;
	if (is_inline(&to->record))
		copy.data = memcpy(end, to->data, to->record.size);
	int rc = take_out(r, from);
	if (!rc)
		rc = write_record(r, &copy);
	if (!rc)
		rc = each_index(r, &copy, put_empty);
	if (!rc)
		count(r, &copy.record, 1);
	return rc;
}

int il_disk_record_delete(struct il_disk_records *r, const struct il_disk_message *m)
{
	struct il_disk_key key;
	bool large = !is_inline(&m->record);
	payload_key(&key, m->record.sequence);
	int rc = take_out(r, m);
	if (!rc && large)
		rc = erase(r, &key);
	return rc;
}

int il_disk_taker_add(struct il_disk_records *r, const struct il_disk_holder *process)
{
	struct il_disk_key key;
	il_disk_key_taker(&key, process);
	int rc = put_empty(r, &key);
	r->head.takers++;
	r->changed = true;
	return rc;
}

int il_disk_taker_delete(struct il_disk_records *r, const struct il_disk_holder *process)
{
	struct il_disk_key key;
	il_disk_key_taker(&key, process);
	int rc = il_disk_record_has(r, &key);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	r->head.takers--;
	r->changed = true;
	return erase(r, &key);
}
