/* SPDX-License-Identifier: MIT
 *
 * The peer of redis_queue.lua: the same commands, the scripts of our queues with the same arguments, by hiredis alone.
 * Sends and receives one after the other, or `depth` at a time, pipelined. Prints ns per message.
 *   redis_queue N DEPTH
 */
#define IL_SCRIPT_SOURCES
#include "redis_scripts.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static redisContext *c;
static char digests[IL_SCRIPTS][41];
static const char id[] = "0123456789abcdef0123456789abcdef";

static void check(redisReply *r, long status)
{
	if (!r || r->type != REDIS_REPLY_ARRAY || r->element[0]->integer != status)
		exit(1);
	freeReplyObject(r);
}

static void append(int script, int argc, const char **more)
{
	static const char *const names[] = {
		"bench:{q}:queue:meta",
		"bench:{q}:queue:order",
		"bench:{q}:queue:types",
	};
	const char *argv[16] = { "EVALSHA", digests[script], "3" };
	int n = 3;
	for (int i = 0; i < 3; i++)
		argv[n++] = names[i];
	for (int i = 0; i < argc; i++)
		argv[n++] = more[i];
	redisAppendCommandArgv(c, n, argv, NULL);
}

static redisReply *reply(void)
{
	void *r = NULL;
	redisGetReply(c, &r);
	return r;
}

static void send_one(void)
{
	static const char text[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	append(IL_SCRIPT_queue_send, 6,
		(const char *[]){ id, "1234", "0123456789abcdefffffffff", "", "0000000000000000001", text });
}

/* The request before it in the slot has got a message. */
static void receive_one(int slot, long number, long before)
{
	char name[32], digits[24], last[24];
	snprintf(name, sizeof name, "@0123456789abcdef%08x", (unsigned)slot);
	snprintf(digits, sizeof digits, "%016ld", number);
	snprintf(last, sizeof last, "%016ld", before);
	append(IL_SCRIPT_queue_receive, 9,
		(const char *[]){ id, "1234", name, digits, "1", "0000000000000000001", "1", last, "1" });
}

int main(int argc, char **argv)
{
	long n = argc == 3 ? atol(argv[1]) : 0;
	int depth = argc == 3 ? atoi(argv[2]) : 0;
	struct timespec a, b;
	c = argc == 3 && getenv("REDIS_SOCKET") ? redisConnectUnix(getenv("REDIS_SOCKET")) : NULL;
	if (!c || c->err)
		return 1;
	for (int i = 0; i < IL_SCRIPTS; i++) {
		redisReply *r = redisCommand(c, "SCRIPT LOAD %s", il_script_sources[i].source);
		snprintf(digests[i], sizeof digests[i], "%s", r->str);
		freeReplyObject(r);
	}
	append(IL_SCRIPT_queue_open, 3, (const char *[]){ id, "0", "1048576" });
	check(reply(), 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long done = 0, number = 0; done < n; done += depth) {
		for (int i = 0; i < depth; i++)
			send_one();
		for (int i = 0; i < depth; i++)
			check(reply(), 0);
		for (int i = 0; i < depth; i++, number++)
			receive_one(i, number + 1, number + 1 - depth);
		for (int i = 0; i < depth; i++)
			check(reply(), 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%f\n", ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n);
	return 0;
}
