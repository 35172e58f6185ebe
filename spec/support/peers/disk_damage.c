/* SPDX-License-Identifier: MIT
 *
 * Does damage to the entries of tables of a folder, which other processes use. LMDB's own pages stay sound: it believes
 * them.
 *
 * disk_damage FOLDER SEED COUNT TABLE...: so often, a value or a key has other bytes, is shorter or longer, is that of
 * another entry, or is gone
 * disk_damage FOLDER at TABLE TAG [BYTE VALUE]: of the first entry whose key begins with that letter, this byte of the
 * value is another one; or it is gone
 */
#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_KEY = 511, LONGEST = 20000 };

static MDB_txn *txn;
static MDB_dbi dbi;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

/* Of the entries, by chance. */
static int find(MDB_val *key, MDB_val *value)
{
	MDB_stat st;
	MDB_cursor *cursor;
	mdb_stat(txn, dbi, &st);
	if (!st.ms_entries || mdb_cursor_open(txn, dbi, &cursor))
		return MDB_NOTFOUND;
	int rc = mdb_cursor_get(cursor, key, value, MDB_FIRST);
	for (uint64_t n = draw(st.ms_entries); n && !rc; n--)
		rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
	mdb_cursor_close(cursor);
	return rc;
}

static void damage_bytes(char *bytes, size_t size)
{
	static const uint64_t telling[] = { 0, 1, 2, 255, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX,
		(uint64_t)INT64_MIN, UINT64_MAX };
	uint64_t value = telling[draw(sizeof telling / sizeof telling[0])];
	size_t width = (size_t)1 << draw(4), at = size ? draw(size) / width * width : 0;
	if (!size)
		return;
	if (draw(3) == 0)
		bytes[at] ^= (char)(1 << draw(8));
	else
		memcpy(bytes + at, &value, at + width > size ? size - at : width);
}

static void damage(void)
{
	static char key[LONGEST_KEY], value[2 * LONGEST];
	MDB_val k, v, other_key, other;
	if (find(&k, &v) || v.mv_size > LONGEST)
		return;
	memcpy(key, k.mv_data, k.mv_size);
	memcpy(value, v.mv_data, v.mv_size);
	k.mv_data = key;
	v.mv_data = value;
	switch (draw(8)) {
	case 0: v.mv_size = draw(v.mv_size + 1); break;
	case 1:
		memset(value + v.mv_size, 'x', LONGEST);
		v.mv_size += draw(draw(2) ? 64 : LONGEST);
		break;
	case 2:
		if (find(&other_key, &other) == 0 && other.mv_size <= LONGEST)
			memcpy(value, other.mv_data, v.mv_size = other.mv_size);
		break;
	case 3: mdb_del(txn, dbi, &k, NULL); return;
	case 4:
		if (draw(2))
			mdb_del(txn, dbi, &k, NULL);
		damage_bytes(key + 1, k.mv_size - 1);
		break;
	default: damage_bytes(value, v.mv_size);
	}
	mdb_put(txn, dbi, &k, &v, 0);
}

static void damage_at(char tag, const char *at, const char *byte)
{
	static char value[LONGEST];
	MDB_cursor *cursor;
	MDB_val k = { 1, &tag }, v;
	if (mdb_cursor_open(txn, dbi, &cursor) || mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) || v.mv_size > LONGEST)
		exit(1);
	memcpy(value, v.mv_data, v.mv_size);
	v.mv_data = value;
	if (at)
		value[atoi(at)] = (char)atoi(byte);
	if (at ? mdb_cursor_put(cursor, &k, &v, MDB_CURRENT) : mdb_cursor_del(cursor, 0))
		exit(1);
	mdb_cursor_close(cursor);
}

int main(int argc, char **argv)
{
	MDB_env *env;
	if (argc < 5 || mdb_env_create(&env))
		return 2;
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	for (int i = 0; i < 9; i++)
		draw(0);
	mdb_env_set_maxdbs(env, 64);
	mdb_env_set_mapsize(env, (size_t)1 << 30);
	if (mdb_env_open(env, argv[1], MDB_NOSYNC, 0600) || mdb_txn_begin(env, NULL, 0, &txn))
		return 1;
	bool at = strcmp(argv[2], "at") == 0;
	if (at && mdb_dbi_open(txn, argv[3], 0, &dbi) == 0)
		damage_at(argv[4][0], argv[5], argc > 6 ? argv[6] : NULL);
	for (int n = at ? 0 : atoi(argv[3]); n > 0; n--)
		if (mdb_dbi_open(txn, argv[4 + draw((uint64_t)argc - 4)], 0, &dbi) == 0)
			damage();
	int rc = mdb_txn_commit(txn);
	mdb_env_close(env);
	return rc != 0;
}
