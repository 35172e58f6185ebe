/* SPDX-License-Identifier: MIT
 *
 * A peer of ours on a System V segment, by the bare system calls and C's own atomics. memory KEY [SLOTS]: with SLOTS it
 * makes the segment. Then a line for each order, and for its answer: get SLOT · set SLOT N · add SLOT N → the sum ·
 * many SLOT N: adds 1 so often · size · remove.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

static int64_t obey(int id, _Atomic int64_t *slots, const char *order, int slot, int64_t n)
{
	struct shmid_ds ds;
	if (!strcmp(order, "get"))
		return slots[slot];
	if (!strcmp(order, "set"))
		return slots[slot] = n;
	if (!strcmp(order, "add"))
		return atomic_fetch_add(&slots[slot], n) + n;
	if (!strcmp(order, "many")) {
		for (int64_t i = 0; i < n; i++)
			atomic_fetch_add(&slots[slot], 1);
		return slots[slot];
	}
	if (!strcmp(order, "remove"))
		return shmctl(id, IPC_RMID, NULL);
	return shmctl(id, IPC_STAT, &ds) ? -1 : (int64_t)ds.shm_segsz;
}

int main(int argc, char **argv)
{
	char line[64], order[16];
	int flags = argc > 2 ? IPC_CREAT | IPC_EXCL | 0600 : 0;
	int id = argc > 1 ? shmget(atoi(argv[1]), argc > 2 ? (size_t)atol(argv[2]) * 8 : 0, flags) : -1;
	void *slots = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (slots == (void *)-1)
		return 1;
	setlinebuf(stdout);
	printf("%d\n", getpid());
	while (fgets(line, sizeof line, stdin)) {
		int slot = 0;
		long long n = 0;
		if (sscanf(line, "%15s %d %lld", order, &slot, &n) > 0)
			printf("%lld\n", (long long)obey(id, slots, order, slot, n));
	}
	return 0;
}
