/* SPDX-License-Identifier: MIT
 *
 * Preloaded: a process that dies at a point of its use of the folder $FOLDER. Points are
 *
 *   - before each store into the files "control" and "lock.mdb", which are mapped, and after it, whichever library
 *     makes the store;
 *   - before each call that writes to a file of the folder, changes its size, brings it to the disk, or locks it, and
 *     in the middle of a write of several pages, which the kernel may break off when a process is killed;
 *   - before each wake-up of others that a program makes by syscall().
 *
 * A mapping is made read-only: a store faults, is counted, and is made in a single step. A program arms the points by
 * remove("kill points: arm"), and ends them by remove("kill points: passed"), which prints how many there were. It dies
 * of SIGKILL at the point of number $KILL_AT, if there is one. On a machine of another kind stores are not counted.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { RANGES = 64, PAGE = 4096, TRAP = 0x100 /* of the flags: a trap behind the next instruction */ };

static struct range {
	char *start;
	size_t size;
} ranges[RANGES];

static bool armed;
static long passed, at;
static char lock; /* of what follows: signal handlers of two threads may meet */
static bool dying;

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Points --------------------------------------------------------------------------------------------------- */

static void enter(void)
{
	while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE))
		;
}

static void leave(void)
{
	__atomic_clear(&lock, __ATOMIC_RELEASE);
}

static void protect(int protection)
{
	for (int i = 0; i < RANGES; i++)
		if (ranges[i].start)
			syscall(SYS_mprotect, ranges[i].start, ranges[i].size, protection);
}

/* The kernel has to be able to write that the owner of a lock has died. */
static void point_entered(void)
{
	if (++passed != at)
		return;
	dying = true;
	protect(PROT_READ | PROT_WRITE);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void point(void)
{
	if (!__atomic_load_n(&armed, __ATOMIC_ACQUIRE))
		return;
	enter();
	if (armed)
		point_entered();
	leave();
}

#ifdef __x86_64__

static bool is_watched(const void *address)
{
	const char *a = address;
	for (int i = 0; i < RANGES; i++)
		if (ranges[i].start && a >= ranges[i].start && a < ranges[i].start + ranges[i].size)
			return true;
	return false;
}

static void set_trap(void *context, bool on)
{
	ucontext_t *c = context;
	greg_t *flags = &c->uc_mcontext.gregs[REG_EFL];
	*flags = on ? *flags | TRAP : *flags & ~(greg_t)TRAP;
}

static void store_begins(int number, siginfo_t *info, void *context)
{
	if (!is_watched(info->si_addr)) {
		signal(number, SIG_DFL);
		return;
	}
	enter();
	if (armed) {
		point_entered();
		set_trap(context, true);
	}
	protect(PROT_READ | PROT_WRITE);
	leave();
}

static void store_ends(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	enter();
	set_trap(context, false);
	if (armed) {
		point_entered();
		protect(PROT_READ);
	}
	leave();
}

static void watch_stores(void)
{
	struct sigaction a = { .sa_sigaction = store_begins, .sa_flags = SA_SIGINFO };
	sigfillset(&a.sa_mask);
	sigaction(SIGSEGV, &a, NULL);
	a.sa_sigaction = store_ends;
	sigaction(SIGTRAP, &a, NULL);
	protect(PROT_READ);
}

/* A thread with these blocked would be ended by the fault. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	int (*next)(int, const sigset_t *, sigset_t *) = real("pthread_sigmask");
	sigset_t ours;
	if (!set)
		return next(how, set, old);
	ours = *set;
	if (how != SIG_UNBLOCK) {
		sigdelset(&ours, SIGSEGV);
		sigdelset(&ours, SIGTRAP);
	}
	return next(how, &ours, old);
}

#else

static void watch_stores(void)
{
}

#endif

static void arm(void)
{
	const char *text = getenv("KILL_AT");
	enter();
	at = text ? atol(text) : 0;
	armed = true;
	watch_stores();
	leave();
}

static void end(void)
{
	enter();
	armed = false;
	protect(PROT_READ | PROT_WRITE);
	leave();
	printf("points %ld\n", passed);
	fflush(stdout);
}

int remove(const char *path)
{
	int (*next)(const char *) = real("remove");
	if (strcmp(path, "kill points: arm") == 0)
		arm();
	else if (strcmp(path, "kill points: passed") == 0)
		end();
	else
		return next(path);
	return 0;
}

/* Files ---------------------------------------------------------------------------------------------------- */

/* The name in the folder; NULL: it is elsewhere. */
static const char *name_of(int fd, char path[PAGE])
{
	char link[64];
	const char *folder = getenv("FOLDER");
	size_t size = folder ? strlen(folder) : 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, PAGE - 1);
	path[n < 0 ? 0 : n] = '\0';
	return n > 0 && size && strncmp(path, folder, size) == 0 ? path + size : NULL;
}

static void point_of(int fd)
{
	char path[PAGE];
	if (__atomic_load_n(&armed, __ATOMIC_ACQUIRE) && name_of(fd, path))
		point();
}

static void watch(void *start, size_t size, int fd)
{
	char path[PAGE];
	const char *name = name_of(fd, path);
	if (!name || (strcmp(name, "/control") && strcmp(name, "/lock.mdb")))
		return;
	enter();
	for (int i = 0; i < RANGES; i++)
		if (!ranges[i].start) {
			ranges[i] = (struct range){ start, size };
			break;
		}
	if (armed)
		protect(PROT_READ);
	leave();
}

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *start = (void *)syscall(SYS_mmap, where, size, protection, flags, fd, offset);
	if (start != MAP_FAILED && flags & MAP_SHARED && protection & PROT_WRITE && fd >= 0)
		watch(start, size, fd);
	return start;
}

void *mmap64(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
	return mmap(where, size, protection, flags, fd, offset);
}

int munmap(void *start, size_t size)
{
	enter();
	for (int i = 0; i < RANGES; i++)
		if (ranges[i].start == start)
			ranges[i].start = NULL;
	leave();
	return (int)syscall(SYS_munmap, start, size);
}

/* Where it is broken off. */
static size_t half_of(size_t size)
{
	return size / 2 / PAGE * PAGE;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	char path[PAGE];
	size_t half = half_of(size);
	point_of(fd);
	if (half && armed && name_of(fd, path)) {
		ssize_t n = syscall(SYS_pwrite64, fd, bytes, half, offset);
		if (n != (ssize_t)half)
			return n;
		point();
		n = syscall(SYS_pwrite64, fd, (const char *)bytes + half, size - half, offset + (off_t)half);
		return n < 0 ? (ssize_t)half : (ssize_t)half + n;
	}
	return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
	return pwrite(fd, bytes, size, offset);
}

static ssize_t write_all(int fd, const struct iovec *v, int count, off_t offset)
{
	ssize_t all = 0;
	for (int i = 0; i < count; i++) {
		ssize_t n = pwrite(fd, v[i].iov_base, v[i].iov_len, offset + all);
		if (n < 0)
			return all ? all : n;
		all += n;
		if ((size_t)n < v[i].iov_len)
			break;
	}
	return all;
}

ssize_t pwritev(int fd, const struct iovec *v, int count, off_t offset)
{
	char path[PAGE];
	return name_of(fd, path) ? write_all(fd, v, count, offset) : syscall(SYS_pwritev, fd, v, count, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *v, int count, off_t offset)
{
	return pwritev(fd, v, count, offset);
}

/* LMDB writes pages that follow each other so. */
ssize_t writev(int fd, const struct iovec *v, int count)
{
	char path[PAGE];
	if (!name_of(fd, path))
		return syscall(SYS_writev, fd, v, count);
	off_t offset = lseek(fd, 0, SEEK_CUR);
	ssize_t n = write_all(fd, v, count, offset);
	if (n > 0)
		lseek(fd, offset + n, SEEK_SET);
	return n;
}

#define CALL(name, parameters, arguments)            \
	int name parameters                          \
	{                                            \
		int(*next) parameters = real(#name); \
		point_of(fd);                        \
		return next arguments;               \
	}

CALL(fdatasync, (int fd), (fd))
CALL(fsync, (int fd), (fd))
CALL(ftruncate, (int fd, off_t size), (fd, size))
CALL(ftruncate64, (int fd, off_t size), (fd, size))
CALL(fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size))
CALL(flock, (int fd, int operation), (fd, operation))

int msync(void *start, size_t size, int flags)
{
	point();
	return (int)syscall(SYS_msync, start, size, flags);
}

/* Not that of the C library, which every call above would come to. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list list;
	if (!next)
		next = real("syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_futex && ((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE)
		point();
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
