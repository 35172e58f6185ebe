/* SPDX-License-Identifier: MIT
 *
 * memory.lua in C: memory read, write, add. Sequentially consistent atomics on a page that is shared. Prints ns each.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { N = 100000, RUNS = 100 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void run(_Atomic int64_t *slot, const char *what)
{
	int64_t sum = 0;
	if (!strcmp(what, "read"))
		for (int i = 0; i < N; i++)
			sum += *slot;
	else if (!strcmp(what, "write"))
		for (int i = 0; i < N; i++)
			*slot = i;
	else
		for (int i = 0; i < N; i++)
			*slot += 1;
	*(volatile int64_t *)&sum = sum;
}

int main(int argc, char **argv)
{
	double least = 1e18;
	_Atomic int64_t *slots = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || slots == MAP_FAILED)
		return 1;
	for (int i = 0; i < RUNS; i++) {
		double start = now();
		run(&slots[5], argv[1]);
		double took = now() - start;
		least = took < least ? took : least;
	}
	printf("%f\n", least / N);
	return 0;
}
