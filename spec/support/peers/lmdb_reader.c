/* SPDX-License-Identifier: MIT
 * Reads a directory of LMDB, and does not hurry: hold and release keep one snapshot, fill takes every place of the
 * table of readers. */
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char line[64];
	MDB_env *env;
	MDB_txn *held = NULL, *txn;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || mdb_env_create(&env) || mdb_env_open(env, argv[1], MDB_WRITEMAP | MDB_NOTLS | MDB_NOSYNC, 0600))
		return 1;
	printf("%d\n", (int)getpid());
	while (fgets(line, sizeof line, stdin)) {
		if (strncmp(line, "hold", 4) == 0) {
			puts(mdb_txn_begin(env, NULL, MDB_RDONLY, &held) ? "failed" : "held");
		} else if (strncmp(line, "release", 7) == 0) {
			usleep(50000); /* so that a process waits for it by now */
			mdb_txn_abort(held);
			puts("released");
		} else if (strncmp(line, "fill", 4) == 0) {
			int n = 0;
			while (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0) {
				mdb_txn_reset(txn);
				n++;
			}
			printf("%d\n", n);
		}
	}
	return 0;
}
