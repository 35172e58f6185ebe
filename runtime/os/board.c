/* SPDX-License-Identifier: MIT
 *
 * Boards, see board.h. The file has no name before its head is written: a reader never sees half a board, and a process
 * that is killed meanwhile leaves nothing. It is mapped in its largest size at once; it grows by fallocate, which says
 * when there is no room, where a store into a hole would kill the process. A forked child does not have the mapping.
 * Floor 1b.
 */
#include "os/board.h"
#include "base/fork.h"
#include "os/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FIRST = 47, /* records: with the head, less than four pages */
	SWEEP_EVERY = 16, /* of so many processes that make a board one sweeps */
	MAPPED = sizeof(struct il_board_head) + IL_BOARD_MOST * sizeof(struct il_board_record),
	PATH = 96,
};

struct il_board il_board = { .most = IL_BOARD_MOST };

/* Of the file that is mapped. */
static struct {
	char path[PATH];
	dev_t device;
	ino_t inode;
} file;

static void path_of(char path[PATH], long pid, unsigned long long start)
{
	snprintf(path, PATH, IL_BOARD_FOLDER "/" IL_BOARD_PREFIX "%ld.%llu", pid, start);
}

static size_t size_of(uint32_t records)
{
	return sizeof(struct il_board_head) + records * sizeof(struct il_board_record);
}

/* Files --------------------------------------------------------------------------------------------------- */

/* Above the limit the kernel would send SIGXFSZ. */
static bool make_room(int fd, uint32_t records)
{
	struct rlimit limit;
	size_t size = size_of(records);
	if (getrlimit(RLIMIT_FSIZE, &limit) || size > limit.rlim_cur)
		return false;
	return fallocate(fd, 0, 0, (off_t)size) == 0;
}

static void write_command(struct il_board_head *head)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, head->command, sizeof head->command - 1) < 0)
		head->command[0] = '\0';
	close(fd);
}

static void write_head(struct il_board_head *head)
{
	memcpy(head->magic, "ipcboard", sizeof head->magic);
	head->layout = IL_BOARD_LAYOUT;
	head->head_size = sizeof *head;
	head->record_size = sizeof(struct il_board_record);
	head->pid = il_fork.pid;
	head->start = il_identity_start();
	head->space = il_identity_space();
	head->address = (uintptr_t)head;
	write_command(head);
}

/* Whose file has our pid and start has the same numbers in another namespace, unless this process had one before: by a
 * fork that nobody told us of. */
static bool publish(int fd)
{
	char self[64];
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, file.path, AT_SYMLINK_FOLLOW) == 0;
}

static struct il_board_head *map(int fd)
{
	void *at = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	if (madvise(at, MAPPED, MADV_DONTFORK) == 0)
		return at;
	munmap(at, MAPPED);
	return NULL;
}

static struct il_board_head *make_file(uint32_t records)
{
	struct stat st;
	int fd = open(IL_BOARD_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	struct il_board_head *head = make_room(fd, records) && fstat(fd, &st) == 0 ? map(fd) : NULL;
	if (head) {
		write_head(head);
		file.device = st.st_dev;
		file.inode = st.st_ino;
		path_of(file.path, il_fork.pid, head->start);
		if (!publish(fd)) {
			munmap(head, MAPPED);
			head = NULL;
		}
	}
	close(fd);
	return head;
}

static bool is_ours(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_dev == file.device && st.st_ino == file.inode;
}

static bool grow_file(uint32_t records)
{
	int fd = open(file.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool grown = is_ours(fd) && make_room(fd, records);
	close(fd);
	return grown;
}

/* The board of this process ------------------------------------------------------------------------------- */

static void at_fork(void)
{
	il_board.head = NULL;
	il_board.records = NULL;
	il_board.most = IL_BOARD_MOST;
}

/* None of the tasks that had a record is the child's. */
static void begin_anew(void)
{
	free(il_board.shadows);
	il_board.shadows = NULL;
	il_board.count = il_board.used = il_board.free = 0;
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_LOOP, .child = at_fork, .anew = begin_anew };

static bool add_shadows(uint32_t count)
{
	struct il_board_shadow *shadows = realloc(il_board.shadows, (count + 1) * sizeof *shadows);
	if (!shadows)
		return false;
	il_board.shadows = shadows;
	il_board.count = count;
	return true;
}

/* In a child that goes on with the tasks of its parent these have their records, though nothing is written there. */
static bool make(void)
{
	static bool known;
	uint32_t count = il_board.count ? il_board.count : FIRST;
	if (!known)
		known = atexit(il_board_close) == 0;
	struct il_board_head *head = make_file(count);
	if (!head)
		return false;
	if (!il_board.count && !add_shadows(count)) {
		munmap(head, MAPPED);
		unlink(file.path);
		return false;
	}
	for (uint32_t i = 1; i <= il_board.used; i++)
		il_board.shadows[i].type = NULL;
	il_fork_add(&fork_hook);
	il_board.records = (struct il_board_record *)(void *)(head + 1) - 1;
	il_board.head = head;
	atomic_store_explicit(&head->used, il_board.used, memory_order_relaxed);
	if (il_fork.pid % SWEEP_EVERY == 0)
		il_boards_sweep();
	return true;
}

static bool grow(void)
{
	uint32_t count = il_board.count * 2 < il_board.most ? il_board.count * 2 : il_board.most;
	return count > il_board.count && grow_file(count) && add_shadows(count);
}

/* What is there can be used, though no more can be had: that is not tried again for each wait. */
static bool has_room(void)
{
	if (!il_board.most || (!il_board.head && !make())) {
		il_board.most = 0;
		return false;
	}
	if (il_board.free || il_board.used < il_board.count)
		return true;
	if (grow())
		return true;
	il_board.most = il_board.count;
	return false;
}

uint32_t il_board_take(void)
{
	if (!has_room())
		return 0;
	uint32_t record = il_board.free;
	if (record) {
		il_board.free = il_board.shadows[record].next;
	} else {
		record = ++il_board.used;
		atomic_store_explicit(&il_board.head->used, record, memory_order_release);
	}
	il_board.shadows[record] = (struct il_board_shadow){ 0 };
	return record;
}

bool il_board_prepare(uint32_t *record)
{
	if (!*record)
		*record = il_board_take();
	else if (!il_board.head)
		has_room();
	return *record && il_board.head;
}

void il_board_give(uint32_t record)
{
	if (!il_board.shadows)
		return;
	if (il_board.head) {
		struct il_board_record *r = il_board_at(record);
		il_board_begin(r);
		r->kind = IL_BOARD_FREE;
		r->next = 0;
		il_board_end(r);
	}
	if (il_board.shadows[record].next)
		il_board_cut(record);
	il_board.shadows[record].next = il_board.free;
	il_board.free = record;
}

void il_board_cut(uint32_t record)
{
	uint32_t next = il_board.shadows[record].next;
	il_board.shadows[record].next = 0;
	if (il_board.head)
		il_board_at(record)->next = 0;
	while (next) {
		uint32_t other = next;
		next = il_board.shadows[other].next;
		il_board.shadows[other].next = 0;
		il_board_give(other);
	}
}

struct il_board_record *il_board_add(uint32_t *last)
{
	uint32_t record = il_board_take();
	if (!record)
		return NULL;
	il_board.shadows[*last].next = record;
	il_board_at(*last)->next = record;
	*last = record;
	return il_board_at(record);
}

/* A child that nobody told us of leaves its parent's. */
void il_board_close(void)
{
	if (!il_board.head || getpid() != il_fork.pid)
		return;
	munmap(il_board.head, MAPPED);
	at_fork();
	il_board.most = 0;
	int fd = open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (is_ours(fd))
		unlink(file.path);
	close(fd);
}

/* The boards of others ------------------------------------------------------------------------------------ */

/* Any user may make a file with such a name: it is to be one that cannot make us wait, and of this user, or root is the
 * reader. -1: it is not. */
static int open_board(int folder, const char *name, struct stat *st)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -1;
	uid_t user = geteuid();
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && (user == 0 || st->st_uid == user))
		return fd;
	close(fd);
	return -1;
}

size_t il_board_size(const char *path)
{
	struct stat st;
	int fd = open_board(AT_FDCWD, path, &st);
	if (fd < 0)
		return 0;
	close(fd);
	size_t most = size_of(IL_BOARD_MOST);
	return (uint64_t)st.st_size < most ? (size_t)st.st_size : most;
}

size_t il_board_read(const char *path, char *bytes, size_t size)
{
	struct stat st;
	int fd = open_board(AT_FDCWD, path, &st);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, bytes, size);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

/* The pids are those of our namespace. */
static bool is_of_our_space(int folder, const char *name)
{
	struct il_board_head head;
	struct stat st;
	int fd = open_board(folder, name, &st);
	if (fd < 0)
		return false;
	ssize_t size = read(fd, &head, sizeof head);
	close(fd);
	return size == (ssize_t)sizeof head && memcmp(head.magic, "ipcboard", sizeof head.magic) == 0 &&
		head.space == il_identity_space();
}

static bool is_dead(pid_t pid, uint64_t start)
{
	if (kill(pid, 0) && errno == ESRCH)
		return true;
	enum il_identity identity = il_identity_check(pid, start);
	return identity == IL_IDENTITY_ZOMBIE || identity == IL_IDENTITY_ANOTHER;
}

void il_board_remove(pid_t pid)
{
	char path[PATH];
	uint64_t start = il_identity_start_of(pid);
	if (!start)
		return;
	path_of(path, pid, start);
	unlink(path);
}

static void sweep(int folder, const char *name, void *unused)
{
	int pid;
	unsigned long long start;
	(void)unused;
	if (sscanf(name, IL_BOARD_PREFIX "%d.%llu", &pid, &start) == 2 && is_dead(pid, start) &&
		is_of_our_space(folder, name))
		unlinkat(folder, name, 0);
}

static void each(void (*f)(int folder, const char *name, void *arg), void *arg)
{
	DIR *folder = opendir(IL_BOARD_FOLDER);
	if (!folder)
		return;
	for (const struct dirent *e = readdir(folder); e; e = readdir(folder))
		if (strncmp(e->d_name, IL_BOARD_PREFIX, strlen(IL_BOARD_PREFIX)) == 0)
			f(dirfd(folder), e->d_name, arg);
	closedir(folder);
}

void il_boards_sweep(void)
{
	each(sweep, NULL);
}

struct list {
	char *names;
	size_t size, used;
};

static void add_name(int folder, const char *name, void *arg)
{
	struct list *l = arg;
	size_t size = strlen(name) + 1;
	(void)folder;
	if (l->used <= l->size && size <= l->size - l->used)
		memcpy(l->names + l->used, name, size);
	l->used += size;
}

size_t il_boards_list(char *names, size_t size)
{
	struct list l = { .names = names, .size = size };
	each(add_name, &l);
	return l.used;
}
