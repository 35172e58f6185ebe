// SPDX-License-Identifier: MIT
// redis_data.lua for C with hiredis: HGET, HSET, HINCRBY of a field, without versions, sizes, or word of the change.
// Prints ns per call.  redis_data get|set|add [calls under way at a time]
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *path = getenv("REDIS_SOCKET");
	redisContext *c = path && argc > 1 ? redisConnectUnix(path) : NULL;
	int width = argc > 2 ? atoi(argv[2]) : 1, n = width == 1 ? 10000 : 50000;
	char value[65] = "",
	     *command[] = { "get", "HGET bench name", "set", "HSET bench name %s", "add", "HINCRBY bench n 1" };
	void *reply;
	if (!c || c->err)
		return 1;
	memset(value, 'x', 64);
	freeReplyObject(redisCommand(c, "HSET bench name %s", value));
	double start = now();
	for (int i = 0; i < n; i += width) {
		for (int w = 0; w < width; w++)
			for (int k = 0; k < 6; k += 2)
				if (strcmp(argv[1], command[k]) == 0)
					redisAppendCommand(c, command[k + 1], value);
		for (int w = 0; w < width; w++) {
			if (redisGetReply(c, &reply))
				return 1;
			freeReplyObject(reply);
		}
	}
	printf("%f\n", (now() - start) / n);
	return 0;
}
