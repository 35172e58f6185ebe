/* SPDX-License-Identifier: MIT
 *
 * Jobs of a queue in shared memory, by the engine's operations: what becomes of a job that is taken, and of those whose
 * process dies; delayed ones, ids, dead letters; order and room. After each step the counts are those of a book.
 */
#include "base/clock.h"
#include "engines/engine.h"
#include "engines/registry.h"
#include "loop/loop.h"
#include "os/state.h"
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CAPACITY = 8000 };

static struct il_queue *queue;

static struct il_queue *open_queue(size_t capacity)
{
	struct il_key key = { .text = "" };
	struct il_queue_options options = { .mode = 0600, .capacity = capacity };
	struct il_queue *q;
	CHECK(il_shm_key(&key, NULL) == 0);
	CHECK(key.engine->queue(&key, &options, &q) == 0);
	q->limits = (struct il_job_limits){ .attempts = 3, .deaths = 3, .keep = 4 };
	return q;
}

static int run(struct il_op *op)
{
	op->once = true;
	return op->type->attempt(op) ? op->err : EAGAIN;
}

static int send(int64_t type, const char *text, struct il_job *job)
{
	struct il_op op = { .fd = -1 };
	il_op_init(&op, &queue->ops->send, queue, type);
	op.message.job = job;
	op.data = (void *)(uintptr_t)text;
	op.size = strlen(text);
	return run(&op);
}

static int get(const struct il_op_type *type, int64_t wanted, struct il_job *job, char text[])
{
	struct il_op op = { .fd = -1 };
	il_op_init(&op, type, queue, wanted);
	op.message.job = job;
	int err = run(&op);
	if (!err) {
		memcpy(text, op.data, op.size);
		text[op.size] = '\0';
	}
	il_op_clear(&op);
	return err;
}

static struct il_job taken(int64_t type, const char *expected)
{
	static int64_t last;
	struct il_job job = { 0 };
	char text[CAPACITY];
	int err = get(&queue->ops->take, type, &job, text);
	CHECK(err == 0);
	CHECK(strcmp(text, expected) == 0 && job.token > last);
	last = job.token;
	return job;
}

static void received(int64_t type, const char *expected)
{
	char text[CAPACITY];
	CHECK(get(&queue->ops->receive, type, NULL, text) == 0);
	CHECK(strcmp(text, expected) == 0);
}

static int finish(struct il_job *job, enum il_job_outcome outcome, const char *reason, int64_t due)
{
	struct il_op op = { .fd = -1 };
	il_op_init(&op, &queue->ops->finish, queue, 0);
	job->outcome = outcome;
	job->due = due;
	job->reason_size = (uint8_t)strlen(reason);
	memcpy(job->reason, reason, job->reason_size);
	op.message.job = job;
	return run(&op);
}

static int64_t change(const struct il_op_type *type, const char *id)
{
	struct il_op op = { .fd = -1 };
	il_op_init(&op, type, queue, 0);
	op.name = id;
	op.name_size = id ? strlen(id) : 0;
	CHECK(run(&op) == 0);
	return op.arg;
}

static void book(int64_t ready, int64_t delayed, int64_t in_work, int64_t dead)
{
	struct il_op op = { .fd = -1 };
	const struct il_queue_stat *s = &queue->stat;
	il_op_init(&op, &queue->ops->stat, queue, 0);
	CHECK(run(&op) == 0);
	if (s->messages != ready || s->delayed != delayed || s->taken != in_work || s->dead != dead)
		fprintf(stderr, "%d %d %d %d\n", (int)s->messages, (int)s->delayed, (int)s->taken, (int)s->dead);
	CHECK(s->messages == ready && s->delayed == delayed && s->taken == in_work && s->dead == dead);
	CHECK(s->bytes > 0 || ready + delayed + in_work + dead == 0);
}

static void drain(void)
{
	char text[CAPACITY];
	while (get(&queue->ops->receive, 0, NULL, text) == 0)
		;
	change(&queue->ops->drop, NULL);
	book(0, 0, 0, 0);
}

/* A child takes a job, and dies with it. */
static void die_with(int64_t type, const char *expected)
{
	int status;
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		taken(type, expected);
		kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

static void test_outcomes(void)
{
	CHECK(send(1, "a", NULL) == 0 && send(2, "b", NULL) == 0 && send(1, "c", NULL) == 0);
	struct il_job a = taken(0, "a"), b = taken(2, "b");
	CHECK(a.attempt == 1 && a.deaths == 0 && !a.id_size && a.number == 1 && b.number == 2);
	book(1, 0, 2, 0);
	CHECK(finish(&a, IL_JOB_RELEASE, "", 0) == 0);
	CHECK(finish(&a, IL_JOB_RELEASE, "", 0) == ESTALE && finish(&a, IL_JOB_DONE, "", 0) == ESTALE);
	book(2, 0, 1, 0);
	a = taken(-5, "a"); /* its own place */
	CHECK(a.attempt == 1);
	CHECK(finish(&a, IL_JOB_RETRY, "for that reason, which is longer than what there is behind so short a text",
		      0) == 0);
	CHECK(!a.dead && finish(&b, IL_JOB_DONE, "", 0) == 0);
	book(2, 0, 0, 0);
	a = taken(1, "a");
	CHECK(a.attempt == 2 && strncmp(a.reason, "for that reason, which", 22) == 0 && a.reason_size == 74);
	CHECK(finish(&a, IL_JOB_RETRY, "again", 0) == 0 && !a.dead);
	a = taken(1, "a");
	CHECK(a.attempt == 3 && strcmp(a.reason, "again") == 0);
	CHECK(finish(&a, IL_JOB_RETRY, "and again", 0) == 0 && a.dead);
	book(1, 0, 0, 1);
	received(0, "c");
	struct il_job letter = { 0 };
	char text[CAPACITY];
	CHECK(get(&queue->ops->dead, 0, &letter, text) == 0 && strcmp(text, "a") == 0);
	CHECK(letter.attempt == 3 && strcmp(letter.reason, "and again") == 0 && !letter.id_size && letter.number == 1);
	CHECK(get(&queue->ops->dead, 0, &letter, text) == ENOMSG);
	CHECK(change(&queue->ops->revive, "#7") == 0 && change(&queue->ops->revive, "#1") == 1);
	book(1, 0, 0, 0);
	a = taken(0, "a");
	CHECK(a.attempt == 1 && a.reason_size == 0 && finish(&a, IL_JOB_BURY, "", 0) == 0);
	book(0, 0, 0, 1);
	CHECK(change(&queue->ops->drop, NULL) == 1);
	drain();
}

static void test_next(void)
{
	struct il_op op = { .fd = -1 };
	CHECK(send(1, "a", NULL) == 0);
	struct il_job a = taken(0, "a");
	a.outcome = IL_JOB_DONE;
	il_op_init(&op, &queue->ops->finish, queue, 5);
	op.message.job = &a;
	op.data = (char[]){ "next" };
	op.size = 4;
	CHECK(run(&op) == 0);
	book(1, 0, 0, 0);
	received(5, "next");
	drain();
}

static void test_deaths(void)
{
	CHECK(send(1, "a", NULL) == 0 && send(1, "b", NULL) == 0);
	die_with(0, "a");
	book(2, 0, 0, 0);
	struct il_job a = taken(0, "a");
	CHECK(a.attempt == 2 && a.deaths == 1 && strcmp(a.reason, "its holder died") == 0);
	CHECK(finish(&a, IL_JOB_RELEASE, "", 0) == 0);
	die_with(0, "a");
	char text[CAPACITY];
	do { /* a take finds it, now or after a moment */
		CHECK(get(&queue->ops->take, 0, &a, text) == 0 && finish(&a, IL_JOB_RELEASE, "", 0) == 0);
	} while (strcmp(text, "b") == 0);
	a = taken(0, "a");
	CHECK(a.deaths == 2 && a.attempt == 3 && finish(&a, IL_JOB_RELEASE, "", 0) == 0);
	queue->limits.attempts = 9;
	die_with(0, "a");
	book(1, 0, 0, 1);
	struct il_job letter = { 0 };
	CHECK(get(&queue->ops->dead, 0, &letter, text) == 0);
	CHECK(letter.deaths == 3 && strcmp(letter.reason, "its holder died (3 times)") == 0);
	queue->limits.attempts = 1;
	die_with(0, "b");
	CHECK(get(&queue->ops->take, 0, &letter, text) == EAGAIN); /* over its limit */
	book(0, 0, 0, 2);
	queue->limits.attempts = 3;
	drain();
}

static void test_delays(void)
{
	int64_t now = il_wall_now();
	struct il_job later = { .due = now + 3600 * IL_SECOND }, soon = { .due = now + IL_SECOND / 50 };
	CHECK(send(1, "later", &later) == 0 && send(1, "soon", &soon) == 0 && send(1, "now", NULL) == 0);
	CHECK(!later.id_size);
	book(1, 2, 0, 0);
	while (il_wall_now() < soon.due)
		usleep(1000);
	book(2, 1, 0, 0);
	received(0, "soon"); /* sent before */
	struct il_job job = taken(0, "now");
	CHECK(finish(&job, IL_JOB_RETRY, "", il_wall_now() + IL_SECOND / 50) == 0);
	book(0, 2, 0, 0);
	while (il_wall_now() < now + IL_SECOND / 10)
		usleep(1000);
	received(0, "now");
	book(0, 1, 0, 0);
}

static void test_many_delays(void)
{
	int64_t due = il_wall_now() + 2 * IL_SECOND;
	char text[20];
	for (int i = 0; i < 3000; i++) {
		struct il_job job = { .due = due - (i * 7919 % 3000) * 1000 };
		snprintf(text, sizeof text, "%d", i);
		CHECK(send(1, text, &job) == 0);
	}
	book(0, 3000, 0, 0);
	while (il_wall_now() < due)
		usleep(1000);
	book(3000, 0, 0, 0);
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof text, "%d", i);
		received(i % 2, text);
	}
	drain();
}

static void test_ids(void)
{
	struct il_job job = { .id_size = 5, .id = "order", .attempts = 1 };
	CHECK(send(3, "a", &job) == 0 && send(3, "b", &job) == EEXIST);
	struct il_job a = taken(0, "a");
	CHECK(strcmp(a.id, "order") == 0 && a.attempts == 1 && send(3, "b", &job) == EEXIST);
	CHECK(finish(&a, IL_JOB_RETRY, "", 0) == 0 && a.dead);
	CHECK(send(3, "b", &job) == 0 && change(&queue->ops->revive, "order") == 0);
	received(0, "b");
	CHECK(change(&queue->ops->revive, "order") == 1);
	a = taken(0, "a");
	CHECK(finish(&a, IL_JOB_DONE, "", 0) == 0 && send(3, "c", &job) == 0);
	drain();
}

/* A job that is held for long is in nobody's way; one that comes back does so in its own place. */
static void test_order(void)
{
	char text[20];
	CHECK(send(1, "first", NULL) == 0 && send(2, "second", NULL) == 0 && send(1, "third", NULL) == 0);
	struct il_job first = taken(1, "first"), second = taken(2, "second");
	for (int i = 0; i < 100000; i++) { /* the ring goes around, with "third" in it */
		snprintf(text, sizeof text, "%d", i);
		CHECK(send(7, text, NULL) == 0);
		received(7, text);
	}
	CHECK(send(1, "last", NULL) == 0);
	CHECK(finish(&second, IL_JOB_RELEASE, "", 0) == 0 && finish(&first, IL_JOB_RELEASE, "", 0) == 0);
	book(4, 0, 0, 0);
	first = taken(1, "first");
	received(-2, "third");
	received(0, "second");
	received(0, "last");
	CHECK(finish(&first, IL_JOB_DONE, "", 0) == 0);
	drain();
}

static void test_room(void)
{
	struct il_job jobs[8], letter = { 0 };
	char text[CAPACITY], big[1000];
	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	for (int i = 0; i < 8; i++)
		CHECK(send(1, big, NULL) == 0);
	CHECK(send(1, big, NULL) == EAGAIN);
	for (int i = 0; i < 8; i++)
		jobs[i] = taken(0, big);
	CHECK(send(1, big, NULL) == EAGAIN);
	for (int i = 0; i < 6; i++)
		CHECK(finish(&jobs[i], IL_JOB_BURY,
			      "a reason that is far too long to be behind the text of the message", 0) == 0);
	book(0, 0, 2, 4); /* two were dropped */
	for (int i = 0; i < 4; i++)
		CHECK(send(1, big, NULL) == 0); /* dead letters give way */
	book(4, 0, 2, 2);
	CHECK(get(&queue->ops->dead, 0, &letter, text) == 0 && letter.reason_size == 66);
	for (int i = 6; i < 8; i++)
		CHECK(finish(&jobs[i], IL_JOB_RELEASE, "", 0) == 0);
	drain();
}

int main(void)
{
	il_loop_init();
	il_os_init();
	queue = open_queue(CAPACITY);
	test_outcomes();
	test_next();
	test_deaths();
	test_ids();
	test_order();
	test_room();
	test_delays();
	queue->ops->close(queue);
	queue = open_queue(1 << 20);
	test_many_delays();
	queue->ops->close(queue);
	il_loop_fini();
	puts("ok");
	return 0;
}
