/* SPDX-License-Identifier: MIT
 *
 * The segments that there are, see list.h. What is in one is read without its latch, for the process that has that may
 * be stopped: so the numbers are those of a moment, and need not fit together. Floor 2.
 */
#include "engines/shm/list.h"
#include "engines/local_data.h"
#include "engines/shm/name.h"
#include "engines/shm/permits.h"
#include "engines/shm/queue_object.h"
#include "engines/shm/shared_memory.h"
#include "engines/waiters_entry.h"
#include "os/process_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "ipclua."

union content {
	struct il_head head;
	struct il_shm_queue_shared queue;
	struct il_shm_permits lock;
	struct il_shm_memory_shared memory;
	char bytes[IL_SHM_LIST_SIZE];
};

_Static_assert(sizeof(struct il_shm_permits) + IL_SHM_LOCK_HOLDERS * sizeof(struct il_shm_permit_record) <=
		IL_SHM_LIST_SIZE,
	"all records");

/* Processes that live and wait. */
static int64_t count_waiters(const struct il_waiters_head *head, const struct il_waiter *at, uint32_t room)
{
	uint32_t used = head->used < room ? head->used : room;
	int64_t n = 0;
	for (uint32_t i = 0; i < used; i++)
		n += il_waiter_state(&at[i]) != IL_WAITER_FREE && !il_waiter_has_ended(&at[i]);
	return n;
}

static int describe_queue(const union content *c, size_t size, struct il_found *f)
{
	const struct il_shm_queue_shared *q = &c->queue;
	if (size < sizeof *q || il_shm_queue_size(q->capacity) != size)
		return EUCLEAN;
	int64_t messages = (int64_t)(q->sending.sent - q->receiving.received + q->jobs.ready);
	int64_t bytes = (int64_t)(q->sending.bytes - q->receiving.bytes);
	f->holds = messages > 0 || q->jobs.delayed || q->jobs.taken || q->jobs.letters;
	il_found_number(f, "messages", messages > 0 ? messages : 0);
	il_found_number(f, "bytes", bytes > 0 ? bytes : 0);
	il_found_number(f, "capacity", (int64_t)q->capacity);
	il_found_number(f, "delayed", q->jobs.delayed);
	il_found_number(f, "taken", q->jobs.taken);
	il_found_number(f, "dead", q->jobs.letters);
	il_found_number(f, "receivers", count_waiters(&q->waiting, q->waiters, IL_SHM_MOST_WAITERS));
	il_found_number(f, "senders", count_waiters(&q->room_head, q->room, IL_SHM_MOST_WAITERS));
	return 0;
}

/* A mutex whose holder has died has that to tell to the next one. */
static int describe_lock(const union content *c, size_t size, bool mutex, struct il_found *f)
{
	const struct il_shm_permits *p = &c->lock;
	uint32_t records = p->max < IL_SHM_LOCK_HOLDERS ? p->max : IL_SHM_LOCK_HOLDERS;
	if (size < sizeof *p || !p->max || il_shm_lock_size(p->max) != size)
		return EUCLEAN;
	int64_t held = 0, dead = 0, holder = 0;
	for (uint32_t i = 0; i < records && i < p->used; i++) {
		const struct il_shm_permit_record *r = &p->records[i];
		if (!r->count)
			continue;
		bool ended = il_process_watch_ended((pid_t)r->pid, r->start);
		*(ended ? &dead : &held) += r->count;
		holder = r->pid;
	}
	il_found_number(f, "max", p->max);
	il_found_number(f, "held", held);
	il_found_number(f, "waiters", count_waiters(&p->waiting, p->waiters, IL_SHM_LOCK_WAITERS));
	if (mutex && held)
		il_found_number(f, "holder", holder);
	if (mutex)
		il_found_number(f, "abandoned", dead || p->abandoned);
	f->holds = held || (mutex && (dead || p->abandoned));
	return 0;
}

static int describe_memory(int fd, const union content *c, size_t size, struct il_found *f)
{
	const struct il_shm_memory_shared *m = &c->memory;
	char part[16384];
	if (size < sizeof *m || !m->slots || m->slots > size || il_shm_memory_size(m->slots) != size)
		return EUCLEAN;
	ssize_t got;
	for (off_t at = IL_SHM_MEMORY_SLOTS_AT; !f->holds && (got = pread(fd, part, sizeof part, at)) > 0; at += got)
		for (ssize_t i = 0; i < got && !f->holds; i++)
			f->holds = part[i];
	il_found_number(f, "slots", (int64_t)m->slots);
	il_found_number(f, "waiters", count_waiters(&m->waiting, m->waiters, IL_SHM_MEMORY_WAITERS));
	return 0;
}

static int describe_content(int fd, const char *noun, const union content *c, size_t size, struct il_found *f)
{
	if (strcmp(noun, "queue") == 0)
		return describe_queue(c, size, f);
	if (strcmp(noun, "memory") == 0)
		return describe_memory(fd, c, size, f);
	return describe_lock(c, size, strcmp(noun, "mutex") == 0, f);
}

bool il_shm_list_parse(const char *file, const char **noun, char name[IL_NAME_MAX + 8])
{
	static const char *const nouns[] = { "queue", "mutex", "semaphore", "memory" };
	for (size_t i = 0; i < sizeof nouns / sizeof nouns[0]; i++) {
		size_t size = strlen(nouns[i]);
		const char *rest = file + strlen(PREFIX);
		if (strncmp(file, PREFIX, strlen(PREFIX)) != 0 || strncmp(rest, nouns[i], size) != 0 ||
			rest[size] != '.' || !rest[size + 1] || strlen(rest + size + 1) > IL_NAME_MAX)
			continue;
		*noun = nouns[i];
		strcpy(name, rest + size + 1);
		for (char *at = name; *at; at++)
			*at = *at == '+' ? '/' : *at; /* which no key's name has */
		return il_shm_check_name(name) == 0;
	}
	return false;
}

static int read_segment(int fd, const char *noun, const char *name, union content *c, struct il_found *f)
{
	struct stat st;
	if (fstat(fd, &st))
		return errno;
	if (!S_ISREG(st.st_mode))
		return EINVAL;
	il_found_file(f, &st);
	memset(c, 0, sizeof *c);
	if (pread(fd, c, sizeof *c, 0) < (ssize_t)sizeof c->head)
		return EINVAL;
	int err = il_segment_check_head(&c->head, (size_t)st.st_size, noun, name);
	if (!err && c->head.removed)
		err = EIDRM;
	return err ? err : describe_content(fd, noun, c, (size_t)st.st_size, f);
}

int il_shm_list_describe(int fd, const char *file, struct il_found *f)
{
	char name[IL_NAME_MAX + 8];
	const char *noun;
	if (!il_shm_list_parse(file, &noun, name))
		return ENOENT;
	union content *c = malloc(sizeof *c);
	if (!c)
		return ENOMEM;
	f->noun = strcmp(noun, "memory") == 0 ? "shared_memory" : noun;
	snprintf(f->key, sizeof f->key, "shm:%s", name);
	int err = read_segment(fd, noun, name, c, f);
	f->fault = il_found_fault(err);
	f->holds = f->holds || err == EUCLEAN || err == EPROTO;
	free(c);
	return 0;
}

/* What cannot be read is told all the same. */
static void describe_unread(const char *path, int err, struct il_found *f)
{
	struct stat st;
	if (lstat(path, &st) == 0)
		il_found_file(f, &st);
	f->fault = il_found_fault(err == ELOOP ? EINVAL : err);
	f->holds = true;
}

static int add(const char *file, struct il_listing *l)
{
	char path[IL_NAME_PATH + 64], name[IL_NAME_MAX + 8];
	const char *noun;
	if (!il_shm_list_parse(file, &noun, name))
		return 0;
	snprintf(path, sizeof path, IL_PLACE "/%s", file);
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), failed = fd < 0 ? errno : 0;
	if (failed == ENOENT || failed == EAGAIN) /* EAGAIN: it is being removed */
		return 0;
	struct il_found *f = il_listing_add(l, "shm");
	int err = f ? il_shm_list_describe(fd, file, f) : ENOMEM;
	if (failed && !err)
		describe_unread(path, failed, f);
	if (fd >= 0)
		close(fd);
	return err;
}

int il_shm_list(const char *folder, struct il_listing *l)
{
	DIR *place = folder ? NULL : opendir(IL_PLACE);
	int err = 0;
	if (folder)
		return ENOTSUP;
	if (!place)
		return errno == ENOENT ? 0 : errno;
	for (struct dirent *e; !err && (e = readdir(place));)
		err = add(e->d_name, l);
	closedir(place);
	return err ? err : il_local_data_list(l);
}
