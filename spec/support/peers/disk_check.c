/* SPDX-License-Identifier: MIT
 *
 * disk_check FOLDER [live]: is what processes have left in a folder sound? It knows the layout by itself. Of LMDB's
 * file: each page is used, or free once. Of each queue: every record has the entries that its state wants, there are no
 * others, and the head counts them. Prints "ok", or what is wrong. Then the records of the last queue that are ready,
 * delayed, taken and dead. "live": other processes may change the folder meanwhile.
 */
#include <lmdb.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INLINE = 1024, HEAD = 104, RECORD = 96 };

struct head {
	uint64_t magic, capacity, sequence, token, number;
	uint64_t ready, delayed, taken, dead, takers, bytes, dead_bytes;
	int32_t last_sender, last_receiver;
};

struct record {
	uint64_t sequence;
	int64_t type, sent, due;
	uint64_t token, number, world, start;
	uint32_t pid, handle, attempt, deaths, attempts, size;
	uint8_t id_size, reason_size, state, reserved[5];
};

_Static_assert(sizeof(struct head) == HEAD && sizeof(struct record) == RECORD, "the layout");

static MDB_txn *txn;
static MDB_dbi dbi;
static const char *table = "";
static uint64_t counts[256];
static char told[64];

static void fail(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	printf("%s: ", table);
	vprintf(format, list);
	printf("\n");
	exit(1);
}

#define CHECK(x, ...) ((x) ? (void)0 : fail(__VA_ARGS__))

static void need(int rc, const char *what)
{
	CHECK(rc == 0, "%s: %s", what, mdb_strerror(rc));
}

/* Pages ---------------------------------------------------------------------------------------------------- */

static size_t pages_of(MDB_dbi which)
{
	MDB_stat st;
	need(mdb_stat(txn, which, &st), "stat");
	return st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages;
}

/* The free ones, which LMDB lists by the transaction that gave them back. */
static size_t free_pages(size_t end)
{
	char *seen = calloc(end + 1, 1);
	size_t count = 0;
	MDB_cursor *cursor;
	MDB_val key, value;
	need(mdb_cursor_open(txn, 0, &cursor), "free pages");
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		const size_t *list = value.mv_data;
		for (size_t i = 1; i <= list[0]; i++) {
			CHECK(list[i] >= 2 && list[i] <= end, "page %zu is free, of %zu", list[i], end);
			CHECK(!seen[list[i]]++, "page %zu is free twice", list[i]);
			count++;
		}
	}
	mdb_cursor_close(cursor);
	free(seen);
	return count;
}

static void check_pages(MDB_env *env)
{
	MDB_envinfo info;
	MDB_cursor *cursor;
	MDB_val key, value;
	mdb_env_info(env, &info);
	size_t used = 2 + pages_of(0) + pages_of(1), unused = free_pages(info.me_last_pgno);
	need(mdb_cursor_open(txn, 1, &cursor), "tables");
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		char name[512];
		snprintf(name, sizeof name, "%.*s", (int)key.mv_size, (char *)key.mv_data);
		need(mdb_dbi_open(txn, name, 0, &dbi), name);
		used += pages_of(dbi);
	}
	mdb_cursor_close(cursor);
	if (info.me_last_txnid != mdb_txn_id(txn)) /* that of a later commit */
		return;
	CHECK(used + unused == info.me_last_pgno + 1, "%zu pages are used, %zu are free, of %zu", used, unused,
		info.me_last_pgno + 1);
}

/* Queues --------------------------------------------------------------------------------------------------- */

static size_t add(uint8_t *to, size_t at, uint64_t n)
{
	for (int i = 0; i < 8; i++)
		to[at + (size_t)i] = (uint8_t)(n >> (56 - 8 * i));
	return at + 8;
}

static size_t size_of(const uint8_t *key, size_t size, const char *what)
{
	MDB_val k = { size, (void *)key }, value;
	int rc = mdb_get(txn, dbi, &k, &value);
	CHECK(rc == 0, "%s: there is no entry '%c'", what, key[0]);
	return value.mv_size;
}

/* The key that a record has to be under. */
static size_t key_of(const struct record *r, uint8_t *key)
{
	size_t n = 1;
	key[0] = r->state;
	switch (r->state) {
	case 'r': return add(key, n, r->sequence);
	case 'w': return add(key, add(key, n, (uint64_t)r->due), r->sequence);
	case 'k':
		n = add(key, add(key, n, r->world), r->start);
		return add(key, add(key, n, (uint64_t)r->pid << 32 | r->handle), r->sequence);
	case 'x': return add(key, n, r->number);
	default: fail("a record in the state %d", r->state); return 0;
	}
}

static void check_indexes(const struct record *r, const char *id, size_t id_size)
{
	uint8_t key[300];
	size_t n;
	if (r->state == 'r') {
		key[0] = 't';
		n = add(key, add(key, 1, (uint64_t)r->type), r->sequence);
		CHECK(size_of(key, n, "a ready message") == 0, "an entry of a type with a value");
		counts['T']++;
	}
	if (r->state == 'x') {
		key[0] = 'j';
		key[1] = (uint8_t)id_size;
		memcpy(key + 2, id, id_size);
		size_of(key, add(key, 2 + id_size, r->number), "a dead letter");
		counts['J']++;
	} else if (r->id_size) {
		key[0] = 'i';
		memcpy(key + 1, id, id_size);
		size_of(key, 1 + id_size, "an id");
		counts['I']++;
	}
	if (r->state == 'k') {
		key[0] = 'u';
		n = add(key, add(key, 1, r->world), r->start);
		size_of(key, add(key, n, (uint64_t)r->pid << 32), "a job that is taken");
	}
}

static void check_record(const MDB_val *at, const MDB_val *value, const struct head *h, uint64_t *bytes)
{
	struct record r;
	uint8_t key[300];
	char own[32];
	CHECK(value->mv_size >= RECORD, "a record of %zu bytes", value->mv_size);
	memcpy(&r, value->mv_data, sizeof r);
	const char *id = (const char *)value->mv_data + RECORD;
	size_t id_size = r.id_size ? r.id_size : (size_t)sprintf(own, "#%llu", (unsigned long long)r.sequence);
	CHECK(key_of(&r, key) == at->mv_size && memcmp(key, at->mv_data, at->mv_size) == 0,
		"a record is under the key of another one");
	CHECK(value->mv_size == RECORD + r.id_size + r.reason_size + (r.size <= INLINE ? r.size : 0),
		"a record of another size");
	CHECK(r.sequence && r.sequence <= h->sequence && r.token <= h->token && r.number <= h->number,
		"a number that was not given yet");
	check_indexes(&r, r.id_size ? id : own, id_size);
	if (r.size > INLINE) {
		key[0] = 'p';
		CHECK(size_of(key, add(key, 1, r.sequence), "a large message") == r.size, "another size");
		counts['P']++;
	}
	bytes[0] += r.size;
	bytes[1] += r.state == 'x' ? r.size : 0;
}

static void check_queue(const struct head *h)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t bytes[2] = { 0, 0 };
	memset(counts, 0, sizeof counts);
	need(mdb_cursor_open(txn, dbi, &cursor), "records");
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		uint8_t tag = *(uint8_t *)key.mv_data;
		counts[tag]++;
		CHECK(strchr("hrtwkuxjip", tag), "an entry of no kind");
		if (strchr("rwkx", tag))
			check_record(&key, &value, h, bytes);
	}
	mdb_cursor_close(cursor);
	CHECK(counts['r'] == h->ready && counts['w'] == h->delayed && counts['k'] == h->taken && counts['x'] == h->dead,
		"counts of records");
	snprintf(told, sizeof told, "%d %d %d %d", (int)h->ready, (int)h->delayed, (int)h->taken, (int)h->dead);
	CHECK(counts['u'] == h->takers, "count of the processes that take");
	CHECK(counts['t'] == counts['T'] && counts['j'] == counts['J'] && counts['i'] == counts['I'] &&
			counts['p'] == counts['P'],
		"entries of no record");
	CHECK(bytes[0] == h->bytes && bytes[1] == h->dead_bytes, "sums of bytes");
}

static void check_tables(void)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	char name[512];
	need(mdb_cursor_open(txn, 1, &cursor), "tables");
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		MDB_val h = { 1, "h" };
		snprintf(name, sizeof name, "%.*s", (int)key.mv_size, (char *)key.mv_data);
		table = name;
		need(mdb_dbi_open(txn, name, 0, &dbi), "open");
		if (strncmp(name, "queue:", 6) != 0)
			continue;
		need(mdb_get(txn, dbi, &h, &value), "head");
		CHECK(value.mv_size == HEAD, "a head of %zu bytes", value.mv_size);
		struct head copy;
		memcpy(&copy, value.mv_data, sizeof copy);
		check_queue(&copy);
	}
	mdb_cursor_close(cursor);
}

int main(int argc, char **argv)
{
	MDB_env *env;
	if (argc < 2 || mdb_env_create(&env))
		return 2;
	mdb_env_set_maxdbs(env, 64);
	need(mdb_env_open(env, argv[1], MDB_RDONLY | (argc > 2 ? 0 : MDB_NOLOCK), 0600), "folder");
	need(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "transaction");
	check_pages(env);
	check_tables();
	printf("ok %s\n", told);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return 0;
}
