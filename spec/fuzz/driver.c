/* SPDX-License-Identifier: MIT
 *
 * Runs a fuzz target where libFuzzer is not to be had: inputs made of the target's own examples by seeded mutations,
 * for some seconds. `target SECONDS [SEED]`; prints "fuzz: target: N inputs, no fault". A fault is for a sanitizer or
 * abort() to tell; the input that did it is in the file fault-TARGET then. For libFuzzer (LIBFUZZER), the examples
 * become files of its corpus, and that is all.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static size_t count;

#ifdef LIBFUZZER

static const char *folder;

void fuzz_example(const void *bytes, size_t size)
{
	char path[256];
	snprintf(path, sizeof path, "%s/example-%zu", folder, count++);
	FILE *file = fopen(path, "w");
	if (!file)
		return;
	fwrite(bytes, 1, size, file);
	fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	folder = (*argv)[*argc - 1];
	if (*argc > 1 && folder[0] != '-')
		fuzz_examples();
	return 0;
}

#else

enum { MAX_INPUT = 4096, MAX_CORPUS = 512 };

static struct input {
	size_t size;
	uint8_t bytes[MAX_INPUT];
} corpus[MAX_CORPUS], now;
static uint64_t state;
static char fault[128];

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

void fuzz_example(const void *bytes, size_t size)
{
	struct input *in = &corpus[count < MAX_CORPUS ? count++ : draw(MAX_CORPUS)];
	in->size = size < MAX_INPUT ? size : MAX_INPUT;
	memcpy(in->bytes, bytes, in->size);
}

/* Async-signal-safe; and called when a sanitizer ends the program. */
static void keep_input(void)
{
	int fd = open(fault, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0 && write(fd, now.bytes, now.size) >= 0)
		close(fd);
}

static void dying(int number)
{
	keep_input();
	signal(number, SIG_DFL);
	raise(number);
}

void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

/* Something at a random place: flipped, replaced, dropped, repeated, or taken from another input. */
static void mutate(struct input *in)
{
	static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\\', '[', '{', '0', '9', '-', '.', 'e' };
	size_t at = draw(in->size + 1), length = draw(16) + 1;
	struct input *other = &corpus[draw(count)];
	switch (draw(7)) {
	case 0:
		if (at < in->size)
			in->bytes[at] ^= (uint8_t)(1 << draw(8));
		break;
	case 1:
		if (at < in->size)
			in->bytes[at] = (uint8_t)draw(256);
		break;
	case 2:
		if (at < in->size)
			in->bytes[at] = telling[draw(sizeof telling)];
		break;
	case 3: /* drop */
		if (at + length <= in->size) {
			memmove(in->bytes + at, in->bytes + at + length, in->size - at - length);
			in->size -= length;
		}
		break;
	case 4: /* repeat */
		if (at + length <= in->size && in->size + length <= MAX_INPUT) {
			memmove(in->bytes + at + length, in->bytes + at, in->size - at);
			in->size += length;
		}
		break;
	case 5: /* cut */ in->size = at; break;
	default: /* the rest of another */
		if (other->size && at < MAX_INPUT) {
			size_t from = draw(other->size), rest = other->size - from;
			rest = rest < MAX_INPUT - at ? rest : MAX_INPUT - at;
			memmove(in->bytes + at, other->bytes + from, rest);
			in->size = at + rest;
		}
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 20;
	state = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	state = state * 2 + 1;
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	snprintf(fault, sizeof fault, "fault-%s", name);
	printf("fuzz: %s: seed %llu\n", name, (unsigned long long)(state / 2));
	fflush(stdout);
	signal(SIGABRT, dying);
	signal(SIGALRM, dying);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(keep_input);
	fuzz_examples();
	struct timespec start, t;
	clock_gettime(CLOCK_MONOTONIC, &start);
	unsigned long long inputs = 0;
	do {
		alarm(10); /* an input that takes longer hangs */
		now = corpus[draw(count)];
		for (uint64_t n = draw(6); n > 0; n--)
			mutate(&now);
		LLVMFuzzerTestOneInput(now.bytes, now.size);
		if (++inputs % 1000 == 0)
			fuzz_example(now.bytes, now.size);
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while ((double)(t.tv_sec - start.tv_sec) + (double)(t.tv_nsec - start.tv_nsec) * 1e-9 < seconds);
	alarm(0);
	fuzz_end();
	printf("fuzz: %s: %llu inputs, no fault\n", name, inputs);
	return 0;
}

#endif
