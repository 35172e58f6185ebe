/* SPDX-License-Identifier: MIT
 *
 * Uses the semaphore of its argument, a key, with nothing but semop(2), as it is told: acquire, try, release; "waiting"
 * comes before it waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

static int change(int id, int by, int flags)
{
	struct sembuf op = { 0, (short)by, (short)(SEM_UNDO | flags) };
	return semop(id, &op, 1);
}

int main(int argc, char **argv)
{
	char word[32];
	int id = argc == 2 ? semget(atoi(argv[1]), 0, 0) : -1;
	if (id < 0)
		return 1;
	setlinebuf(stdout);
	printf("%d\n", getpid());
	while (fgets(word, sizeof word, stdin)) {
		if (strcmp(word, "acquire\n") == 0) {
			puts("waiting");
			puts(change(id, -1, 0) ? "failed" : "held");
		} else if (strcmp(word, "try\n") == 0) {
			puts(change(id, -1, IPC_NOWAIT) ? "busy" : "held");
		} else {
			puts(change(id, 1, 0) ? "failed" : "free");
		}
	}
	return 0;
}
