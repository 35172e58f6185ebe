/* SPDX-License-Identifier: MIT
 *
 * Operations of a wait queue by what they wait for: a change has those attempted that it concerns, in the order they
 * came, and no other; whatever comes and goes meanwhile, none is forgotten. Beside a book of what must hold.
 */
#include "base/clock.h"
#include "engines/wait_queue.h"
#include "loop/epoll.h"
#include "loop/loop.h"
#include "os/state.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>

enum { OPS = 400, KEYS = 40, STEPS = 20000, WILD = 0 };

static uint32_t changes, parked;
static uint64_t recent[IL_RECENT];
static int tokens[KEYS + 1], attempts, locked;
static struct il_wait_queue queue;

static struct waiting {
	struct il_wait wait;
	struct il_op op;
	bool waits;
	int since;
} waits[OPS];

static int started;

static int enter(struct il_wait_queue *l)
{
	(void)l;
	CHECK(!locked++);
	return 0;
}

static void leave(struct il_wait_queue *l)
{
	(void)l;
	CHECK(locked--);
}

/* A key's token; of a wild one, any. */
static int *token_for(const struct il_op *op)
{
	for (int key = 1; key <= KEYS; key++)
		if ((op->message.type == key || op->message.type == WILD) && tokens[key])
			return &tokens[key];
	return NULL;
}

static int attempt(struct il_wait_queue *l, struct il_op *op, bool waiting)
{
	(void)l;
	CHECK(locked && waiting);
	attempts++;
	int *token = token_for(op);
	if (!token)
		return EAGAIN;
	--*token;
	return 0;
}

static uint64_t key_of(const struct il_op *op)
{
	return (uint64_t)op->message.type;
}

static bool is_wild(const struct il_op *op)
{
	return op->message.type == WILD;
}

static const struct il_wait_queue_type waits_type = {
	.parked = 1,
	.key = key_of,
	.wild = is_wild,
	.alike = true,
	.enter = enter,
	.leave = leave,
	.attempt = attempt,
};

static bool op_attempt(struct il_op *op)
{
	(void)op;
	return false;
}

static int op_start(struct il_op *op)
{
	il_wait_queue_start(&queue, op);
	return 0;
}

static bool op_cancel(struct il_op *op)
{
	il_wait_queue_cancel(&queue, op);
	return false;
}

static const struct il_op_type type = { "test", op_attempt, op_start, op_cancel };

/* Of those that want the same the one that came first is served first. */
static void wake(struct il_wait *w)
{
	struct waiting *it = il_container_of(w, struct waiting, wait);
	it->waits = false;
	if (w->winner < 0)
		return;
	for (int i = 0; i < OPS; i++)
		CHECK(!waits[i].waits || waits[i].op.message.type != it->op.message.type || waits[i].since > it->since);
}

static void start(struct waiting *w, int key)
{
	*w = (struct waiting){ .wait.wake = wake, .waits = true, .since = ++started };
	il_op_make(&w->op, &type, &queue);
	w->op.message.type = key;
	CHECK(il_wait_start(&w->wait, &w->op, 1, IL_NEVER) == 0);
}

static void change(int key)
{
	tokens[key]++;
	recent[(changes + 1) % IL_RECENT] = (uint64_t)key;
	changes++;
}

static void only_what_it_concerns(void)
{
	for (int i = 0; i < OPS; i++)
		start(&waits[i], 1 + i % KEYS);
	il_wait_queue_retry(&queue); /* the first look of each */
	for (int key = KEYS; key > 0; key--) {
		attempts = 0;
		change(key);
		CHECK(il_wait_queue_retry(&queue));
		CHECK(attempts == 2); /* the second is in vain */
	}
	CHECK(il_wait_queue_count(&queue) == OPS - KEYS);
	il_wait_queue_close(&queue, &queue);
	CHECK(il_wait_queue_count(&queue) == 0);
}

/* Without the list of what has changed: a change of our own is known, and others are not. */
static void what_is_known_without_a_list(void)
{
	queue.recent = NULL;
	for (int i = 0; i < OPS; i++)
		start(&waits[i], 1 + i % KEYS);
	il_wait_queue_retry(&queue);
	attempts = 0;
	change(7);
	il_wait_queue_note_change(&queue, 7);
	CHECK(il_wait_queue_retry(&queue) && attempts == 2);
	change(8);
	CHECK(il_wait_queue_retry(&queue) && attempts > KEYS);
	il_wait_queue_close(&queue, &queue);
	queue.recent = recent;
}

/* Of what waits, nothing could be served. */
static void check_book(void)
{
	int count = 0;
	for (int i = 0; i < OPS; i++) {
		CHECK(!waits[i].waits || !token_for(&waits[i].op));
		count += waits[i].waits;
	}
	CHECK(il_wait_queue_count(&queue) == count);
}

static void whatever_comes_and_goes(unsigned seed, bool wild)
{
	srand(seed);
	for (int i = 0; i < STEPS; i++) {
		struct waiting *w = &waits[rand() % OPS];
		int what = rand() % 10, key = 1 + rand() % KEYS;
		if (what < 5 && !w->waits)
			start(w, wild && rand() % 20 == 0 ? WILD : key);
		else if (what == 5 && w->waits)
			il_wait_end(&w->wait, IL_CANCELLED);
		else if (what < 9)
			change(key);
		else if (rand() % 50 == 0)
			for (int n = rand() % 200; n; n--)
				change(1 + rand() % KEYS);
		if (rand() % 3)
			continue;
		il_wait_queue_retry(&queue);
		check_book();
	}
	il_wait_queue_close(&queue, &queue);
	CHECK(queue.index.buckets == NULL && il_wait_queue_count(&queue) == 0);
}

int main(void)
{
	il_loop_init();
	il_os_init();
	CHECK(il_epoll_open() == 0);
	queue.type = &waits_type;
	queue.changes = &changes;
	queue.parked = &parked;
	queue.recent = recent;
	il_wait_queue_init(&queue);
	only_what_it_concerns();
	what_is_known_without_a_list();
	for (unsigned seed = 1; seed <= 20; seed++)
		whatever_comes_and_goes(seed, seed % 2);
	il_wait_queue_fini(&queue);
	il_loop_fini();
	puts("ok");
	return 0;
}
