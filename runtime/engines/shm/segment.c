/* SPDX-License-Identifier: MIT
 *
 * Segments, see segment.h. Space is reserved before the first touch, so a full /dev/shm is an error and no SIGBUS;
 * should a file be cut short, the SIGBUS of the first touch puts zeros in its place. Floor 2.
 */
#include "engines/shm/segment.h"
#include "base/fork.h"
#include "base/reason.h"
#include "base/shared_atomic.h"
#include "engines/shm/name.h"
#include "engines/shm/state.h"
#include "loop/futex.h"
#include "os/file.h"
#include "os/identity.h"
#include "os/latch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LAYOUT = 8, TRIES = 64, NAP = 1000000 /* ns */ };

static const uint64_t MAGIC = 0x4d53616c63706920; /* " ipclaSM" */

static struct sigaction before;

/* A file that was cut short: the access goes on, with zeros, and the next check says that it is damaged. */
static void bus_error(int number, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;
	for (struct il_list *l = il_shm_state()->segments.next; l != &il_shm_state()->segments; l = l->next) {
		struct il_segment *s = il_container_of(l, struct il_segment, node);
		char *start = (char *)s->head;
		if (at < start || at >= start + s->size)
			continue;
		s->lost = true;
		if (mmap(start, s->size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
			MAP_FAILED)
			return;
	}
	(void)context;
	sigaction(number, &before, NULL); /* not ours: it happens again, to whom it may concern */
}

static void catch_bus_errors(void)
{
	static bool done;
	struct sigaction sa = { .sa_sigaction = bus_error, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigemptyset(&sa.sa_mask);
	if (!done)
		done = sigaction(SIGBUS, &sa, &before) == 0;
}

static int map(int fd, size_t size, struct il_head **head)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	*head = at == MAP_FAILED ? NULL : at;
	return *head ? 0 : errno;
}

static void fill(struct il_head *head, const struct il_segment_type *type, size_t size, const char *name, void *options)
{
	*head = (struct il_head){
		.magic = MAGIC,
		.layout = LAYOUT,
		.size = size,
		.pids = il_identity_space(),
		.creator = (uint32_t)il_fork.pid,
	};
	strncpy(head->noun, type->noun, sizeof head->noun - 1);
	strncpy(head->name, name, sizeof head->name - 1);
	type->init(head, options);
}

/* A file without a name gets its content, and then its name. EEXIST: another one has it. */
static int create(const char *path, const struct il_segment_type *type, size_t size, const char *name, unsigned mode,
	void *options)
{
	struct il_head *head;
	int fd, err = il_name_file(&fd);
	if (err)
		return err;
	err = il_file_reserve(fd, size);
	if (!err)
		err = map(fd, size, &head);
	if (!err) {
		fill(head, type, size, name, options);
		munmap(head, size);
		err = fchmod(fd, mode) ? errno : il_name_give(fd, path);
	}
	close(fd);
	return err;
}

int il_segment_check_head(const struct il_head *head, size_t size, const char *noun, const char *name)
{
	if (head->magic != MAGIC)
		return EINVAL;
	if (head->layout != LAYOUT)
		return EPROTO;
	if (head->size != size || strncmp(head->noun, noun, sizeof head->noun) ||
		strncmp(head->name, name, sizeof head->name))
		return EUCLEAN;
	return head->pids == il_identity_space() ? 0 : EXDEV;
}

/* Read, and not mapped: a file that is cut short just now is no SIGBUS then. */
static int check(int fd, const struct il_segment_type *type, size_t size, const char *name)
{
	struct il_head head;
	if (pread(fd, &head, sizeof head, 0) != sizeof head)
		return EINVAL;
	return il_segment_check_head(&head, size, type->noun, name);
}

static struct il_segment *find(const struct stat *st)
{
	struct il_table_item *item = il_table_find(&il_shm_state()->files, st->st_ino);
	for (; item; item = il_table_next(item)) {
		struct il_segment *s = il_container_of(item, struct il_segment, item);
		if (il_file_same(&s->file, st))
			return s;
	}
	return NULL;
}

static int add(struct il_head *head, size_t size, const struct stat *st, const struct il_segment_type *type,
	const char *name, struct il_segment **result)
{
	struct il_segment *s = type->new ();
	if (!s)
		return ENOMEM;
	*s = (struct il_segment){ .type = type,
		.head = head,
		.size = size,
		.refs = 1,
		.generation = il_fork.generation };
	if (st) {
		s->file = *st;
		il_table_add(&il_shm_state()->files, &s->item, st->st_ino);
	}
	strncpy(s->name, name, sizeof s->name - 1);
	il_list_add(&il_shm_state()->segments, &s->node);
	type->mapped(s);
	*result = s;
	return 0;
}

static int add_file(int fd, size_t size, const struct stat *st, const struct il_segment_type *type, const char *name,
	struct il_segment **result)
{
	struct il_head *head;
	int err = map(fd, size, &head);
	if (err)
		return err;
	catch_bus_errors();
	err = add(head, size, st, type, name, result);
	if (err)
		munmap(head, size);
	return err;
}

/* One that this process has mapped already is no better known by its file: that can be linked to another noun's name,
 * and be cut, and written to. EIDRM: its name is to be taken away. */
static int attach(int fd, const struct stat *st, const struct il_segment_type *type, const char *name, void *options,
	struct il_segment **result)
{
	struct il_segment *s = find(st);
	size_t size = (size_t)st->st_size;
	int err = check(fd, type, size, name);
	if (s && err != EXDEV && (err || s->type != type || s->size != size || strcmp(s->name, name) != 0))
		err = EUCLEAN;
	if (err)
		return err;
	if (s)
		s->refs++;
	else
		err = add_file(fd, size, st, type, name, &s);
	if (err)
		return err;
	*result = s;
	err = il_get(&s->head->removed) ? EIDRM : s->lost ? EUCLEAN : type->check(s, options);
	if (err)
		il_segment_drop(s);
	return err;
}

static int open_named(const struct il_segment_type *type, size_t size, const char *name, unsigned mode, void *options,
	struct il_segment **result)
{
	char path[IL_NAME_PATH];
	struct stat st;
	il_name_path(path, type->noun, name);
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ? EINVAL : errno;
	if (fd < 0 && mode == IL_MODE_EXISTING)
		return ENOENT;
	if (fd < 0) {
		int err = create(path, type, size, name, mode, options);
		return err ? err : EEXIST; /* it is there now: open it */
	}
	int err = fstat(fd, &st) ? errno : !S_ISREG(st.st_mode) ? EINVAL : 0;
	if (!err && st.st_uid != geteuid() && !(st.st_mode & 066))
		err = EACCES;
	if (!err)
		err = attach(fd, &st, type, name, options, result);
	int left = err == EIDRM ? il_name_take(path, fd) : 0;
	if (left)
		err = left == ETIMEDOUT
			? left
			: il_because(EACCES, "it was removed, but its file belongs to another user: rm %s", path);
	close(fd);
	return err == EEXIST ? ENOTEMPTY : err; /* told apart from the one above */
}

static int open_anonymous(const struct il_segment_type *type, size_t size, void *options, struct il_segment **result)
{
	struct il_head *head;
	int err = map(-1, size, &head);
	if (err)
		return err;
	fill(head, type, size, "", options);
	err = add(head, size, NULL, type, "", result);
	if (err)
		munmap(head, size);
	return err;
}

int il_segment_open(const struct il_key *key, const struct il_segment_type *type, size_t size, unsigned mode,
	void *options, struct il_segment **s)
{
	if (!key->name)
		return mode == IL_MODE_EXISTING ? ENOENT : open_anonymous(type, size, options, s);
	int err = il_identity_require();
	if (err)
		return err;
	err = EEXIST;
	for (int i = 0; i < TRIES && (err == EEXIST || err == EIDRM || err == EAGAIN); i++) {
		if (err == EAGAIN) /* a process removes it, see unused.h */
			nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
		err = open_named(type, size, key->name, mode, options, s);
	}
	return err == ENOTEMPTY ? EEXIST : err == EAGAIN ? ETIMEDOUT : err;
}

void il_segment_drop(struct il_segment *s)
{
	if (--s->refs)
		return;
	s->type->unmapped(s);
	il_list_del(&s->node);
	if (s->file.st_ino)
		il_table_del(&il_shm_state()->files, &s->item);
	munmap(s->head, s->size);
	free(s);
}

/* A child may be in another pid namespace than its parent was. */
int il_segment_check_space(struct il_segment *s)
{
	if (s->head->pids != il_identity_space())
		return EXDEV;
	s->generation = il_fork.generation;
	return 0;
}

/* The latch is not ours; or it is, and its owner died, or the segment is of no more use. */
static int __attribute__((noinline)) enter_slowly(struct il_segment *s, int err)
{
	if (err && err != EOWNERDEAD)
		return err;
	s->repaired = err;
	if (err)
		err = s->type->recover ? s->type->recover(s) : 0;
	if (err == ETIMEDOUT) {
		il_unlatch_dead(&s->head->latch);
		return err;
	}
	if (!err && il_get(&s->head->removed))
		err = EIDRM;
	if (s->lost) /* and only now: the latch is one of our own */
		err = EUCLEAN;
	if (err)
		il_segment_leave(s);
	return err;
}

/* The latch has been asked for. */
static inline int entered(struct il_segment *s, int err)
{
	if (err || il_get(&s->head->removed) || s->lost)
		return enter_slowly(s, err);
	s->repaired = false;
	return 0;
}

int il_segment_enter(struct il_segment *s)
{
	int err = il_segment_usable(s);
	return err ? err : entered(s, il_latch(&s->head->latch, &s->patience));
}

int il_segment_enter_soon(struct il_segment *s)
{
	int err = il_segment_usable(s);
	return err ? err : entered(s, il_latch_soon(&s->head->latch, &s->patience));
}

/* Another process may have died before it told everybody: then it is done here. */
void il_segment_leave(struct il_segment *s)
{
	uint32_t changes = il_get(&s->head->changes);
	bool untold = s->repaired || il_get(&s->head->told) != changes;
	il_unlatch(&s->head->latch, untold);
	if (untold)
		il_put(&s->head->told, changes);
}

void il_segment_change(struct il_segment *s, uint32_t whose)
{
	struct il_head *head = s->head;
	uint32_t changes = il_get(&head->changes) + 1;
	bool all_told = il_get(&head->told) == changes - 1;
	il_put(&head->changes, changes);
	if (il_get(&head->parked) & whose) {
		il_latch_gather(&head->latch, &head->changes);
		il_put(&head->parked, il_get(&head->parked) & IL_LISTED);
	} else if (all_told) {
		il_put(&head->told, changes);
	}
}

static void wake_all(struct il_segment *s)
{
	if (s->type->wake_all)
		s->type->wake_all(s);
}

/* Without the latch: it cannot be had, or no other process has this memory any more. */
static void abandon(struct il_segment *s)
{
	il_put(&s->head->removed, 1);
	il_put(&s->head->changes, il_get(&s->head->changes) + 1);
	il_futex_wake(&s->head->changes);
	wake_all(s);
	il_futex_wake(&s->head->latch);
}

static int mark_removed(struct il_segment *s)
{
	int err = il_segment_enter(s);
	if (err == EUCLEAN) {
		abandon(s);
		return 0;
	}
	if (err)
		return err;
	il_segment_change(s, UINT32_MAX);
	wake_all(s);
	il_put(&s->head->removed, 1);
	il_segment_leave(s);
	return 0;
}

/* A process that may not take the name away changes nothing. */
int il_segment_remove(struct il_segment *s)
{
	char path[IL_NAME_PATH];
	int fd = -1, err = 0;
	il_name_path(path, s->type->noun, s->name);
	if (s->file.st_ino)
		err = il_name_check(path, &s->file, &fd);
	if (!err)
		err = mark_removed(s);
	if (!err && fd >= 0)
		err = il_name_take(path, fd);
	if (fd >= 0)
		close(fd);
	return err;
}
