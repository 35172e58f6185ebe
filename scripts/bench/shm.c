/* SPDX-License-Identifier: MIT
 *
 * What C does in shared memory, for queue.lua and mutex.lua. Each prints ns.
 *   shm ring SIZE       a message through a ring of 1 MiB, under a robust mutex with two conditions, to a forked child
 *   shm handover SIZE   copying so much into such a ring, and in another process out of it, without any lock
 *   shm memcpy SIZE     copying so much, from cache to cache
 *   shm cold SIZE       copying so much, from memory to memory
 *   shm pipe            64 bytes there and back through two pipes
 *   shm pipe_oneway     a message of 64 bytes through a pipe, to a forked child
 *   shm mutex           locking and unlocking a robust mutex
 *   shm add             an atomic addition
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { AREA = 1 << 20 };

struct ring {
	pthread_mutex_t mutex;
	pthread_cond_t filled, emptied;
	size_t head, tail; /* counted on and on */
	atomic_long total;
	char area[AREA];
};

static struct ring *ring;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void make_ring(void)
{
	pthread_mutexattr_t m;
	pthread_condattr_t c;
	ring = mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		exit(1);
	pthread_mutexattr_init(&m);
	pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&ring->mutex, &m);
	pthread_condattr_init(&c);
	pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&ring->filled, &c);
	pthread_cond_init(&ring->emptied, &c);
}

static void lock(void)
{
	if (pthread_mutex_lock(&ring->mutex) == EOWNERDEAD)
		pthread_mutex_consistent(&ring->mutex);
}

static void copy_in(const void *from, size_t size)
{
	size_t at = ring->tail % AREA, part = AREA - at < size ? AREA - at : size;
	memcpy(ring->area + at, from, part);
	memcpy(ring->area, (const char *)from + part, size - part);
	ring->tail += size;
}

static void copy_out(void *to, size_t size)
{
	size_t at = ring->head % AREA, part = AREA - at < size ? AREA - at : size;
	memcpy(to, ring->area + at, part);
	memcpy((char *)to + part, ring->area, size - part);
	ring->head += size;
}

static void send_message(const void *data, uint32_t size)
{
	lock();
	while (AREA - (ring->tail - ring->head) < size + sizeof size)
		pthread_cond_wait(&ring->emptied, &ring->mutex);
	copy_in(&size, sizeof size);
	copy_in(data, size);
	pthread_cond_signal(&ring->filled);
	pthread_mutex_unlock(&ring->mutex);
}

static void receive_message(void *data)
{
	uint32_t size;
	lock();
	while (ring->tail == ring->head)
		pthread_cond_wait(&ring->filled, &ring->mutex);
	copy_out(&size, sizeof size);
	copy_out(data, size);
	pthread_cond_signal(&ring->emptied);
	pthread_mutex_unlock(&ring->mutex);
}

static double through_ring(uint32_t size)
{
	char *text = calloc(1, size);
	int n = size > 4096 ? 20000 : 1000000;
	make_ring();
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < n; i++)
			receive_message(text);
		_exit(0);
	}
	double start = now();
	for (int i = 0; i < n; i++)
		send_message(text, size);
	waitpid(child, NULL, 0);
	double took = now() - start;
	free(text);
	return took / n;
}

/* The other may have no processor to run on. */
static void look_again(int looks)
{
	if (looks % 1000 == 0)
		sched_yield();
}

/* Both look at each other's count, and spin: the least that can be done. */
static double handover(size_t size)
{
	size_t places = AREA / size, n = size > 4096 ? 20000 : 1000000;
	struct counts {
		_Alignas(64) atomic_size_t sent;
		_Alignas(64) atomic_size_t got;
		_Alignas(64) char area[AREA];
	} *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *text = calloc(1, size);
	if (c == MAP_FAILED || !places)
		exit(1);
	memset(c->area, 1, AREA);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < n; i++) {
			for (int looks = 1; atomic_load(&c->sent) <= i; looks++)
				look_again(looks);
			memcpy(text, c->area + i % places * size, size);
			__asm__ volatile("" : : "r"(text) : "memory");
			atomic_store(&c->got, i + 1);
		}
		_exit(0);
	}
	double start = now();
	for (size_t i = 0; i < n; i++) {
		for (int looks = 1; i - atomic_load(&c->got) >= places; looks++)
			look_again(looks);
		memcpy(c->area + i % places * size, text, size);
		atomic_store(&c->sent, i + 1);
	}
	waitpid(child, NULL, 0);
	double took = now() - start;
	free(text);
	return took / (double)n;
}

static double copying(size_t size)
{
	char *a = calloc(1, size), *b = calloc(1, size);
	int n = (int)(2000000000 / size);
	double start = now();
	for (int i = 0; i < n; i++) {
		memcpy(i & 1 ? a : b, i & 1 ? b : a, size);
		__asm__ volatile("" : : "r"(a), "r"(b) : "memory");
	}
	double took = now() - start;
	free(a);
	free(b);
	return took / n;
}

static double copying_cold(size_t size)
{
	size_t all = (size_t)256 << 20, n = all / size;
	char *a = malloc(all), *b = malloc(all);
	memset(a, 1, all);
	memset(b, 1, all);
	double start = now();
	for (size_t i = 0; i < n; i++)
		memcpy(b + i * size, a + i * size, size);
	double took = now() - start;
	free(a);
	free(b);
	return took / (double)n;
}

/* The child answers every `every` messages. */
static double pipes(int n, int every)
{
	enum { SIZE = 64 };
	int there[2], back[2];
	char text[SIZE] = "";
	if (pipe(there) || pipe(back))
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 1; read(there[0], text, SIZE) == SIZE; i++)
			if (i % every == 0 && write(back[1], text, SIZE) != SIZE)
				break;
		_exit(0);
	}
	double start = now();
	for (int i = 1; i <= n; i++)
		if (write(there[1], text, SIZE) != SIZE || (i % every == 0 && read(back[0], text, SIZE) != SIZE))
			exit(1);
	double took = now() - start;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return took / n;
}

static double mutex(void)
{
	int n = 10000000;
	make_ring();
	double start = now();
	for (int i = 0; i < n; i++) {
		lock();
		pthread_mutex_unlock(&ring->mutex);
	}
	return (now() - start) / n;
}

static double add(void)
{
	int n = 10000000;
	make_ring();
	double start = now();
	for (int i = 0; i < n; i++)
		atomic_fetch_add(&ring->total, 1);
	return (now() - start) / n;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t size = argc > 2 ? (uint32_t)atoi(argv[2]) : 64;
	if (!strcmp(what, "ring"))
		printf("%.1f\n", through_ring(size));
	else if (!strcmp(what, "handover"))
		printf("%.1f\n", handover(size));
	else if (!strcmp(what, "memcpy"))
		printf("%.1f\n", copying(size));
	else if (!strcmp(what, "cold"))
		printf("%.1f\n", copying_cold(size));
	else if (!strcmp(what, "pipe"))
		printf("%.1f\n", pipes(50000, 1));
	else if (!strcmp(what, "pipe_oneway"))
		printf("%.1f\n", pipes(200000, 200000));
	else if (!strcmp(what, "mutex"))
		printf("%.1f\n", mutex());
	else if (!strcmp(what, "add"))
		printf("%.1f\n", add());
	else
		return 2;
	return 0;
}
