/* SPDX-License-Identifier: MIT
 *
 * Objects in shared memory whose bytes another process writes to, or cuts short, while they are in use. The first byte
 * chooses the noun; what follows are steps of four bytes: damage to the file, or an operation. Operations may fail, but
 * only as they say they do, and each within some seconds: five is what they wait for a latch whose owner stands still.
 * Of a queue there are messages in every state: ready, taken, delayed, dead.
 */
#include "fuzz.h"
#include "engines/registry.h"
#include "os/process_watch.h"

#include "base/clock.h"
#include "engines/engine.h"
#include "engines/shm/queue_object.h"
#include "loop/loop.h"
#include "os/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where these are in a segment; in a queue's: what each side counts, and what is counted of jobs; the receivers' latch,
 * the order, the holders with all the rest, and the blocks. */
enum {
	LATCH = 12,
	TAKEN = 284,
	RECORDS = 2360,
	COUNTS = offsetof(struct il_shm_queue_shared, sending),
	SECOND = offsetof(struct il_shm_queue_shared, second),
	ORDER = sizeof(struct il_shm_queue_shared),
	HOLDERS = ORDER + 512, /* with that CAPACITY */
	BLOCKS = HOLDERS + 2752
};
enum { STEP = 4, MAX_STEPS = 60, CAPACITY = 4000, PERMITS = 5, SLOTS = 600, LONGEST = 5000, GUARD = 1 << 16 };
enum { QUEUE, SEMAPHORE, MUTEX, MEMORY, NOUNS };

#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

static const char *const nouns[] = { "queue", "semaphore", "mutex", "memory" };
static char name[32], path[80];

static struct {
	int noun, fd;
	struct il_lock *lock;
	struct il_queue *queue;
	struct il_memory *memory;
} it;

/* Segments are mapped between pages that may not be touched (linked with --wrap): no sanitizer watches over them. */
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (!(flags & MAP_SHARED))
		return __real_mmap(at, size, protection, flags, fd, offset);
	size_t pages = (size + GUARD - 1) / GUARD * GUARD;
	char *place = __real_mmap(NULL, pages + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(place != MAP_FAILED);
	return __real_mmap(place + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
}

int __wrap_munmap(void *at, size_t size)
{
	return __real_munmap((char *)at - GUARD, (size + GUARD - 1) / GUARD * GUARD + 2 * GUARD);
}

/* The object ------------------------------------------------------------------------------------------------ */

static int open_object(void)
{
	struct il_key key = { .text = "" };
	struct il_lock_options lock = { .max = PERMITS, .mode = 0600 };
	struct il_queue_options queue = { .capacity = CAPACITY, .mode = 0600 };
	struct il_memory_options memory = { .slots = SLOTS, .mode = 0600 };
	int err;
	CHECK(il_shm_key(&key, name) == 0);
	switch (it.noun) {
	case QUEUE:
		err = key.engine->queue(&key, &queue, &it.queue);
		if (!err)
			it.queue->limits = (struct il_job_limits){ .attempts = 3, .deaths = 2, .keep = 5 };
		return err;
	case SEMAPHORE: return key.engine->semaphore(&key, &lock, &it.lock);
	case MUTEX: return key.engine->mutex(&key, &lock, &it.lock);
	default: return key.engine->memory(&key, &memory, &it.memory);
	}
}

static bool is_open(void)
{
	return it.queue || it.lock || it.memory;
}

static void close_object(void)
{
	if (it.queue)
		it.queue->ops->close(it.queue);
	if (it.lock)
		it.lock->ops->close(it.lock);
	if (it.memory)
		it.memory->ops->close(it.memory);
	it.queue = NULL;
	it.lock = NULL;
	it.memory = NULL;
}

static int remove_object(void)
{
	struct il_op op = { .fd = -1 };
	if (it.lock)
		il_op_init(&op, &it.lock->ops->remove, it.lock, 0);
	else if (it.queue)
		il_op_init(&op, &it.queue->ops->remove, it.queue, 0);
	else
		il_op_init(&op, &it.memory->ops->remove, it.memory, 0);
	return op.type->attempt(&op) ? op.err : EAGAIN;
}

/* Damage ---------------------------------------------------------------------------------------------------- */

/* A latch that a living process has is waited for; that takes long, and is no fault. One that cannot be had takes a
 * tenth of a second, so there are few. */
static void spare_latch(off_t at, uint8_t dice)
{
	uint32_t latch = 0;
	if (pread(it.fd, &latch, sizeof latch, at) == sizeof latch && latch &&
		(dice < 240 || !kill((pid_t)(latch & 0x3fffffff), 0)))
		latch = 0;
	CHECK(pwrite(it.fd, &latch, sizeof latch, at) == sizeof latch);
}

/* The latch's owner has died: the next one repairs. */
static void orphan(off_t latch)
{
	CHECK(pwrite(it.fd, &(uint32_t){ FUTEX_OWNER_DIED }, 4, latch) == 4);
}

/* Another process has all the permits, and lives. */
static void occupy(uint8_t record)
{
	const uint32_t taken = PERMITS, mine[4] = { (uint32_t)getppid(), PERMITS, 0, 0 };
	CHECK(pwrite(it.fd, &taken, sizeof taken, TAKEN) == sizeof taken);
	CHECK(pwrite(it.fd, mine, sizeof mine, RECORDS + 16 * (record % PERMITS)) == sizeof mine);
}

static uint64_t telling(uint8_t which)
{
	static const uint64_t values[] = {
		0,
		1,
		2,
		8,
		9,
		0xffffffff,
		0x80000000,
		0x7fffffff,
		UINT64_MAX,
		INT64_MAX,
		(uint64_t)INT64_MIN,
		0xfffffff9,
		16,
		63,
	};
	if (which == 127)
		return (uint64_t)getppid(); /* one that lives */
	if (which < 32)
		return values[which % (sizeof values / sizeof values[0])];
	return which < 127 ? which - 32u
			   : (which - 127u) << 3 | (which & 3); /* a block; an extent's length and state */
}

/* Anywhere, or where it matters: in a queue the words of the head, and those of blocks, up to a front of theirs. */
static size_t place_of(const uint8_t *s, size_t size)
{
	size_t at = (size_t)s[1] | (size_t)s[2] << 8;
	if (it.noun == QUEUE && s[1] & 1)
		at = s[1] & 2        ? BLOCKS + (size_t)s[2] % 24 * 64 + (s[1] >> 2) % 16 * 4u
			: s[2] < 64  ? (size_t)ORDER + s[2]
			: s[2] < 128 ? (size_t)HOLDERS + (s[2] & 1 ? s[2] - 64u : 2048u + 8u * (s[2] - 64u))
				     : (size_t)COUNTS + s[2] % (256);
	return at % size;
}

static void damage(const uint8_t *s)
{
	struct stat st;
	CHECK(fstat(it.fd, &st) == 0);
	size_t size = (size_t)st.st_size, width = s[0] & 8 ? 8 : 4, at = size ? place_of(s, size) / width * width : 0;
	uint64_t value = telling(s[3]);
	if (s[0] & 4 && s[3] >= 240) {
		CHECK(ftruncate(it.fd, s[3] & 1 ? 0 : (off_t)at) == 0);
	} else if (size >= 8) {
		if (s[0] & 2 && pread(it.fd, &value, width, (off_t)at) == (ssize_t)width)
			value ^= (uint64_t)1 << s[3] % 32;
		CHECK(pwrite(it.fd, &value, at + width > size ? 4 : width, (off_t)at) > 0);
	}
	CHECK(fstat(it.fd, &st) == 0);
	if (st.st_size < LATCH + 4)
		return;
	spare_latch(LATCH, s[1] ^ s[2] ^ s[3]);
	if (it.queue && st.st_size >= SECOND + 4)
		spare_latch(SECOND, s[1] ^ s[2] ^ s[3]);
	if (s[0] & 16)
		orphan(it.queue && st.st_size >= SECOND + 4 && s[2] & 1 ? SECOND : LATCH);
	if (s[0] & 32 && it.lock)
		occupy(s[2]);
}

/* With a waiter -------------------------------------------------------------------------------------------- */

static struct il_op waiting;
static struct il_wait background;

static void woken(struct il_wait *w)
{
	(void)w;
}

/* All the time while the object is open; it may end in any way but one. */
static void begin_wait(void)
{
	void *source = it.queue ? (void *)it.queue : it.lock ? (void *)it.lock : it.memory;
	background = (struct il_wait){ .wake = woken };
	waiting = (struct il_op){ .fd = -1 };
	if (it.queue)
		il_op_init(&waiting, &it.queue->ops->receive, source, 3);
	else if (it.lock)
		il_op_init(&waiting, &it.lock->ops->acquire, source, 0);
	else
		il_op_init(&waiting, &it.memory->ops->wait, source, 0);
	if (!waiting.type->attempt(&waiting))
		CHECK(il_wait_start(&background, &waiting, 1, IL_NEVER) == 0);
}

static void end_wait(void)
{
	CHECK(il_loop_poll(0) == 0);
	CHECK(background.state != IL_WAITING);
	il_op_clear(&waiting);
}

/* Operations -------------------------------------------------------------------------------------------------- */

/* Tries, and waits for a moment if that is wanted. errno. */
static int run(struct il_op *op, bool waits)
{
	if (!op->type->attempt(op)) {
		struct il_wait w = { .wake = woken };
		if (!waits)
			return EAGAIN;
		CHECK(il_wait_start(&w, op, 1, il_time_add(il_now(), IL_SECOND / 20000)) == 0);
		while (w.state == IL_WAITING)
			CHECK(il_loop_poll(IL_NEVER) == 0);
		if (w.winner != 0)
			return EAGAIN;
	}
	return op->err;
}

/* Deliveries, which may be over by now. */
static struct il_job taken[4];

static int take_step(struct il_queue *q, struct il_op *op, const uint8_t *s)
{
	struct il_job *job = &taken[s[2] % 4];
	il_op_init(op, &q->ops->take, q, (int8_t)s[1] % 4);
	op->message.job = job;
	int err = run(op, (s[0] & 5) == 5);
	CHECK(err || job->attempt > 0);
	return err;
}

static int finish_step(struct il_queue *q, struct il_op *op, const uint8_t *s)
{
	struct il_job job = taken[s[2] % 4];
	il_op_init(op, &q->ops->finish, q, 0);
	op->message.type = s[1] & 8 ? 2 : 0;
	op->data = "the next message";
	op->size = op->message.type ? s[3] % 16u : 0;
	job.outcome = (enum il_job_outcome)(s[1] % 4);
	job.due = s[3] & 1 ? il_wall_now() + s[3] * 10000 : 0;
	job.reason_size = s[3];
	memset(job.reason, 'r', s[3]);
	op->message.job = &job;
	int err = run(op, false);
	op->data = NULL;
	return err;
}

static int send_job_step(struct il_queue *q, struct il_op *op, const uint8_t *s)
{
	struct il_job job = { .attempts = s[3] & 3, .id_size = s[2] % 3, .id = { 'a', (char)s[3] } };
	job.due = s[1] & 8 ? il_wall_now() + (s[1] & 16 ? IL_SECOND : s[3] * 10000) : 0;
	il_op_init(op, &q->ops->send, q, 1 + s[1] % 4);
	op->message.job = &job;
	op->data = "a job, which is sent with something of its own";
	op->size = s[3] % 46u;
	int err = run(op, false);
	op->data = NULL;
	return err;
}

static int letters_step(struct il_queue *q, struct il_op *op, const uint8_t *s)
{
	struct il_job letter = { .place = s[2] };
	const struct il_queue_ops *ops = q->ops;
	il_op_init(op, s[1] % 3 == 0 ? &ops->dead : s[1] % 3 == 1 ? &ops->revive : &ops->drop, q, 0);
	op->message.job = &letter;
	op->name = s[3] & 1 ? "#1" : NULL;
	op->name_size = s[3] & 1 ? 2 : 0;
	return run(op, false);
}

static int jobs_step(const uint8_t *s)
{
	struct il_op op = { .fd = -1 };
	int err;
	switch (s[0] >> 4 & 3) {
	case 0: err = send_job_step(it.queue, &op, s); break;
	case 1: err = take_step(it.queue, &op, s); break;
	case 2: err = finish_step(it.queue, &op, s); break;
	default: err = letters_step(it.queue, &op, s);
	}
	il_op_clear(&op);
	return err == ESTALE || err == ENOBUFS || err == EUSERS ? EAGAIN : err;
}

static int queue_step(const uint8_t *s)
{
	static char text[LONGEST];
	struct il_queue *q = it.queue;
	struct il_op op = { .fd = -1 };
	int64_t type = (int8_t)s[1] % 4;
	int err;
	if (s[0] & 8)
		return jobs_step(s);
	switch (s[0] >> 4 & 3) {
	case 0:
		il_op_init(&op, &q->ops->send, q, type < 0 ? -type : type + 1);
		op.data = text;
		op.size = s[2] < 220 ? s[3] % 64u : ((size_t)s[2] << 8 | s[3]) % LONGEST;
		err = run(&op, (s[0] & 5) == 5);
		op.data = NULL;
		break;
	case 1:
		il_op_init(&op, &q->ops->receive, q, type);
		err = run(&op, (s[0] & 5) == 5);
		if (!err && op.size)
			memcpy(text, op.data, op.size < LONGEST ? op.size : LONGEST);
		break;
	case 2:
		il_op_init(&op, &q->ops->peek, q, 0);
		op.message.type = type;
		err = run(&op, false);
		break;
	default: il_op_init(&op, &q->ops->stat, q, 0); err = run(&op, false);
	}
	il_op_clear(&op);
	return err;
}

static int lock_step(const uint8_t *s)
{
	struct il_lock *l = it.lock;
	struct il_op op = { .fd = -1 };
	switch (s[0] >> 4 & 3) {
	case 0: il_op_init(&op, &l->ops->acquire, l, 0); return run(&op, (s[0] & 5) == 5);
	case 1:
		il_op_init(&op, &l->ops->release, l, 0);
		op.lock.abandoned = s[1] & 1;
		break;
	case 2: il_op_init(&op, &l->ops->value, l, 0); break;
	default: il_op_init(&op, &l->ops->holder, l, 0);
	}
	return op.type->attempt ? run(&op, false) : 0;
}

static int memory_step(const uint8_t *s)
{
	struct il_memory *m = it.memory;
	size_t slot = ((size_t)s[1] << 8 | s[2]) % m->count;
	int64_t value = (int8_t)s[3];
	struct il_op op = { .fd = -1 };
	switch (s[0] >> 4 & 3) {
	case 0: m->ops->mapped.write(m, slot, value); return 0;
	case 1: m->ops->mapped.add(m, slot, value); return 0;
	case 2: m->ops->mapped.swap(m, slot, &value, 5); return 0;
	default:
		il_op_init(&op, &m->ops->wait, m, 0);
		op.memory.slot = slot;
		op.memory.value = *(const volatile int64_t *)&m->slots[slot];
		return run(&op, (s[0] & 5) == 5);
	}
}

/* As if the object had been repaired: or each step would wait for a damaged latch. */
static void free_latches(void)
{
	struct stat st;
	CHECK(fstat(it.fd, &st) == 0);
	if (st.st_size >= LATCH + 4)
		CHECK(pwrite(it.fd, &(uint32_t){ 0 }, 4, LATCH) == 4);
	if (it.queue && st.st_size >= SECOND + 4)
		CHECK(pwrite(it.fd, &(uint32_t){ 0 }, 4, SECOND) == 4);
}

/* Of eight steps two do damage, one opens it again, and rarely one removes it. */
static bool step(const uint8_t *s)
{
	int64_t start = il_now();
	int err = 0;
	if (s[0] >> 6 == 0) {
		damage(s);
		return true;
	}
	if (s[0] >> 5 == 3 && s[1] > 128) {
		close_object();
		end_wait();
		err = open_object();
		if (!err && s[2] & 1)
			begin_wait();
	} else if (s[0] == 0xff && s[1] > 128) {
		err = remove_object();
	} else {
		err = it.noun == QUEUE ? queue_step(s) : it.noun == MEMORY ? memory_step(s) : lock_step(s);
	}
	CHECK(background.state != IL_WAITING || il_loop_poll(0) == 0);
	CHECK(il_now() - start < 6 * IL_SECOND);
	if (err == EUCLEAN)
		free_latches();
	switch (err) {
	case 0:
	case EAGAIN:
	case ENOMSG:
	case EUCLEAN:
	case EIDRM:
	case EMSGSIZE:
	case EPERM:
	case EINVAL:
	case EPROTO:
	case EXDEV:
	case EEXIST: return is_open();
	default: fprintf(stderr, "%s: %s\n", nouns[it.noun], strerror(err)); abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool looping;
	if (!looping) {
		il_loop_init();
		il_os_init();
	}
	looping = true;
	if (size < 1 + STEP)
		return 0;
	it.noun = bytes[0] % NOUNS;
	snprintf(name, sizeof name, "fuzz.%d", (int)getpid());
	snprintf(path, sizeof path, "/dev/shm/ipclua.%s.%s", nouns[it.noun], name);
	CHECK(open_object() == 0);
	it.fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(it.fd >= 0);
	const uint8_t *s = bytes + 1;
	for (int i = 0; i < MAX_STEPS && s + STEP <= bytes + size && step(s); i++)
		s += STEP;
	close_object();
	end_wait();
	close(it.fd);
	unlink(path);
	return 0;
}

/* Each of the first words of a message is something else; then it is received, with or without a repair. */
static void example_messages(void)
{
	static const uint8_t values[] = { 0, 5, 6, 11, 31 + 2, 32 + 60, 127 + 90 };
	for (uint8_t word = 0; word < 14; word++)
		for (size_t i = 0; i < sizeof values; i++)
			for (uint8_t dies = 0; dies <= 16; dies += 16) {
				const uint8_t steps[] = {
					QUEUE,
					0x40,
					0,
					0,
					40,
					0x40,
					1,
					0,
					9,
					0x40,
					2,
					220,
					200,
					dies,
					(uint8_t)(3 | word << 2),
					(uint8_t)(i % 2),
					values[i],
					0x50,
					0,
					0,
					0,
					0x50,
					2,
					0,
					0,
					0x40,
					1,
					230,
					0,
					0x50,
					0,
					0,
					0,
				};
				fuzz_example(steps, sizeof steps);
			}
}

/* Operations of each noun, without damage, with some, and with much. */
void fuzz_examples(void)
{
	example_messages();
	uint8_t steps[1 + STEP * MAX_STEPS];
	uint32_t state = 1;
	for (int how = 0; how < 96; how++) {
		steps[0] = (uint8_t)(how % NOUNS);
		for (size_t i = 1; i < sizeof steps; i++) {
			state = state * 1664525 + 1013904223;
			steps[i] = (uint8_t)(state >> 24);
			bool first = i % STEP == 1;
			if (first && steps[i] < 64 && (how < 32 || i < sizeof steps / 4))
				steps[i] |= 64; /* no damage */
			if (i % STEP == 3 && how % 3 && steps[i - 2] < 64)
				steps[i] &= 1; /* near the beginning */
		}
		fuzz_example(steps, sizeof steps);
	}
}

void fuzz_end(void)
{
	il_process_watches_drop();
	il_loop_fini();
}
