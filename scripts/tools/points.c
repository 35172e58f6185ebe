/* SPDX-License-Identifier: MIT
 *
 * Kill points, for spec/engines/points: a process can be made to die before any store into shared memory.
 * Compiled for ThreadSanitizer, a program calls out at every store; for build/tsan/ipclua-points the functions it calls
 * are here instead of in TSan's library, so no store can be forgotten, and the sources know nothing of it. Points are
 * stores into what is mapped MAP_SHARED, the two halves of a memcpy into it, the word that tells the kernel of a latch,
 * and the system calls that wake others or change names.
 *
 * Lua finds the global `points`: points.arm(n [, pause]) dies at the n-th point from now (0: counts only), and stops at
 * the one before, if that is wanted, until it is sent SIGCONT; points.passed() counts no more, and returns how many
 * there were.
 */
#include <lauxlib.h>
#include <lualib.h>

#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RANGES = 4096 };

static struct {
	const char *start, *end;
} shared[RANGES];
static int ranges; /* of these have ever been used */

static struct {
	bool armed, pauses;
	lua_Integer at, passed;
	const void *pending; /* where the kernel looks when the thread dies */
} points;

static void point(void)
{
	if (!points.armed || ++points.passed < points.at - 1)
		return;
	if (points.passed == points.at)
		kill(getpid(), SIGKILL);
	if (points.passed == points.at - 1 && points.pauses)
		kill(getpid(), SIGSTOP);
}

static bool is_shared(const void *address)
{
	const char *at = address;
	for (int i = 0; i < ranges; i++)
		if (at >= shared[i].start && at < shared[i].end)
			return true;
	return at == points.pending;
}

static void point_at(const void *address)
{
	if (points.armed && is_shared(address))
		point();
}

/* What the compiler calls -------------------------------------------------------------------------------- */

#define QUIET(name)               \
	void name(void *address); \
	void name(void *address)  \
	{                         \
		(void)address;    \
	}
#define STORE(name)                \
	void name(void *address);  \
	void name(void *address)   \
	{                          \
		point_at(address); \
	}

/* clang-format off */
QUIET(__tsan_func_entry)
QUIET(__tsan_read1) QUIET(__tsan_read2) QUIET(__tsan_read4) QUIET(__tsan_read8) QUIET(__tsan_read16)
QUIET(__tsan_unaligned_read2) QUIET(__tsan_unaligned_read4) QUIET(__tsan_unaligned_read8) QUIET(__tsan_unaligned_read16)
STORE(__tsan_write1) STORE(__tsan_write2) STORE(__tsan_write4) STORE(__tsan_write8) STORE(__tsan_write16)
STORE(__tsan_unaligned_write2) STORE(__tsan_unaligned_write4) STORE(__tsan_unaligned_write8)
STORE(__tsan_unaligned_write16)
	/* clang-format on */

	void __tsan_init(void);
void __tsan_func_exit(void);
void __tsan_read_range(void *address, size_t size);
void __tsan_write_range(void *address, size_t size);

void __tsan_init(void)
{
}
void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *address, size_t size)
{
	(void)address;
	(void)size;
}

void __tsan_write_range(void *address, size_t size)
{
	(void)size;
	point_at(address);
}

/* Memory orders are made sequentially consistent: no matter here. */
#define CHANGE(bits, name, builtin)                                                                           \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order)  \
	{                                                                                                     \
		(void)order;                                                                                  \
		point_at((const void *)p);                                                                    \
		return builtin(p, v, __ATOMIC_SEQ_CST);                                                       \
	}

#define SWAP(bits, name)                                                                                 \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t *p, uint##bits##_t *e, \
		uint##bits##_t v, int order, int failed);                                                \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t *p, uint##bits##_t *e, \
		uint##bits##_t v, int order, int failed)                                                 \
	{                                                                                                \
		(void)order;                                                                             \
		(void)failed;                                                                            \
		point_at((const void *)p);                                                               \
		return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
	}

#define ATOMICS(bits)                                                                              \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order);    \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)     \
	{                                                                                          \
		(void)order;                                                                       \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)  \
	{                                                                                          \
		(void)order;                                                                       \
		point_at((const void *)p);                                                         \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                          \
	}                                                                                          \
	CHANGE(bits, exchange, __atomic_exchange_n)                                                \
	CHANGE(bits, fetch_add, __atomic_fetch_add)                                                \
	CHANGE(bits, fetch_sub, __atomic_fetch_sub)                                                \
	CHANGE(bits, fetch_and, __atomic_fetch_and)                                                \
	CHANGE(bits, fetch_or, __atomic_fetch_or)                                                  \
	SWAP(bits, strong)                                                                         \
	SWAP(bits, weak)

ATOMICS(8)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* What the linker puts in the way (--wrap) --------------------------------------------------------------- */

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
void *__real_memcpy(void *to, const void *from, size_t size);
void *__wrap_memcpy(void *to, const void *from, size_t size);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
void __real_luaL_openlibs(lua_State *L);
void __wrap_luaL_openlibs(lua_State *L);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	char *start = __real_mmap(at, size, protection, flags, fd, offset);
	int i = 0;
	if (!(flags & MAP_SHARED) || start == MAP_FAILED)
		return start;
	while (i < ranges && shared[i].start)
		i++;
	if (i == RANGES)
		abort();
	shared[i].start = start;
	shared[i].end = start + size;
	ranges += i == ranges;
	return start;
}

int __wrap_munmap(void *at, size_t size)
{
	for (int i = 0; i < ranges; i++)
		if (shared[i].start == at)
			shared[i].start = shared[i].end = NULL;
	return __real_munmap(at, size);
}

void *__wrap_memcpy(void *to, const void *from, size_t size)
{
	size_t half = size / 2;
	point_at(to);
	if (half) {
		__real_memcpy(to, from, half);
		point_at(to);
	}
	__real_memcpy((char *)to + half, (const char *)from + half, size - half);
	return to;
}

long __wrap_syscall(long number, ...)
{
	long a[6];
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	int operation = number == SYS_futex ? (int)a[1] & FUTEX_CMD_MASK : FUTEX_WAIT;
	if (operation == FUTEX_WAKE || operation == FUTEX_REQUEUE)
		point();
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define CALL(name, parameters, arguments)       \
	int __real_##name parameters;           \
	int __wrap_##name parameters;           \
	int __wrap_##name parameters            \
	{                                       \
		point();                        \
		return __real_##name arguments; \
	}

CALL(fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
CALL(fchmod, (int fd, mode_t mode), (fd, mode))
CALL(chmod, (const char *path, mode_t mode), (path, mode))
CALL(flock, (int fd, int how), (fd, how))
CALL(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
CALL(unlink, (const char *path), (path))
CALL(unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
CALL(rename, (const char *from, const char *to), (from, to))
CALL(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
CALL(rmdir, (const char *path), (path))

/* Lua ---------------------------------------------------------------------------------------------------- */

static int arm(lua_State *L)
{
	char *head = NULL;
	size_t size;
	points.at = luaL_checkinteger(L, 1);
	points.pauses = lua_toboolean(L, 2);
	points.passed = 0;
	if (__real_syscall(SYS_get_robust_list, 0L, &head, &size) == 0)
		points.pending = head + offsetof(struct robust_list_head, list_op_pending);
	points.armed = true;
	return 0;
}

static int passed(lua_State *L)
{
	points.armed = false;
	lua_pushinteger(L, points.passed);
	return 1;
}

void __wrap_luaL_openlibs(lua_State *L)
{
	static const luaL_Reg functions[] = { { "arm", arm }, { "passed", passed }, { NULL, NULL } };
	__real_luaL_openlibs(L);
	luaL_newlib(L, functions);
	lua_setglobal(L, "points");
}
