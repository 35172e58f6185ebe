// SPDX-License-Identifier: MIT
/*
 * An allocator that fails at the n-th call, for `make sweep`. Linked into build/asan/ipclua-oom with
 * --wrap=malloc and its sisters, so it catches what the runtime and Lua ask for, and not what libc
 * or a sanitizer asks for in between.
 *
 *   IPC_OOM_AT=n      the n-th call fails (counted from 1, over all four functions)
 *   IPC_OOM_WIDTH=w   and the w-1 calls after it; 0: all of them. Lua collects garbage and tries a
 *                     second time, so a width of 1 tests C code and a greater one Lua's.
 *   IPC_OOM_REPORT=f  at exit write how many calls were made to the file f
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

static atomic_ullong calls;
static unsigned long long fail_at;
static unsigned long long fail_width = 1;
static const char *report_path;
static pid_t report_pid;

static unsigned long long number(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void setup(void)
{
	fail_at = number("IPC_OOM_AT", 0);
	fail_width = number("IPC_OOM_WIDTH", 1);
	report_path = getenv("IPC_OOM_REPORT");
	report_pid = getpid();
}

__attribute__((destructor)) static void report(void)
{
	char line[32];
	int fd;

	// a forked child counts on from its parent, but only the program itself reports
	if (!report_path || getpid() != report_pid)
		return;
	fd = open(report_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)snprintf(line, sizeof(line), "%llu\n", (unsigned long long)calls);
	if (write(fd, line, strlen(line)) < 0)
		_exit(99);
	(void)close(fd);
}

static int fails(void)
{
	unsigned long long n = atomic_fetch_add(&calls, 1) + 1;

	if (fail_at == 0 || n < fail_at || (fail_width != 0 && n >= fail_at + fail_width))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

// one that shrinks may fail too: Lua 5.4 no longer counts on it
void *__wrap_realloc(void *block, size_t size)
{
	return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}
