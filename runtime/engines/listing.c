/* SPDX-License-Identifier: MIT
 *
 * What there is, see listing.h. Which processes use an object is known by what they have mapped. Floor 2.
 */
#include "engines/listing.h"
#include "base/fork.h"
#include "os/mapped.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct il_found *il_listing_add(struct il_listing *l, const char *engine)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct il_found *at = realloc(l->at, room * sizeof *at);
		if (!at)
			return NULL;
		l->at = at;
		l->room = room;
	}
	struct il_found *f = &l->at[l->count++];
	*f = (struct il_found){ .engine = engine, .users = -1 };
	return f;
}

void il_found_number(struct il_found *f, const char *name, int64_t value)
{
	for (int i = 0; i < IL_FOUND_NUMBERS - 1; i++)
		if (!f->numbers[i].name) {
			f->numbers[i] = (struct il_found_number){ name, value };
			return;
		}
}

void il_found_file(struct il_found *f, const struct stat *st)
{
	f->size = (int64_t)st->st_blocks * 512;
	f->made = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
	f->owner = st->st_uid;
	f->mode = st->st_mode & 07777;
	f->device = st->st_dev;
	f->inode = st->st_ino;
}

const char *il_found_fault(int err)
{
	switch (err) {
	case 0: return NULL;
	case EACCES:
	case EPERM: return "another user's";
	case EPROTO: return "of another version";
	case EXDEV: return "of another pid namespace";
	case EIDRM: return "removed";
	case EINVAL: return "another program's";
	case EUCLEAN: return "damaged";
	default: return strerror(err);
	}
}

/* Some processes may not be looked at. Those have no file of this user's that is its owner's alone. */
static bool may_be_hidden(const struct il_found *f, const struct il_mapped *m)
{
	return m->hidden && (m->hidden_own || f->owner != geteuid() || f->mode & 066);
}

static bool has(const struct il_found *f, pid_t pid)
{
	for (int i = 0; i < IL_FOUND_PIDS && f->pids[i]; i++)
		if (f->pids[i] == pid)
			return true;
	return false;
}

static void add_user(struct il_found *f, pid_t pid)
{
	if (pid == il_fork.pid || has(f, pid)) /* this process looks only */
		return;
	if (f->users < IL_FOUND_PIDS)
		f->pids[f->users] = pid;
	f->users++;
}

static void note(void *arg, pid_t pid, uint64_t device, uint64_t inode)
{
	struct il_listing *l = arg;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].inode == inode && l->at[i].device == device)
			add_user(&l->at[i], pid);
}

void il_listing_find_users(struct il_listing *l)
{
	struct il_mapped m;
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].inode)
			l->at[i].users = 0;
	il_mapped_each(note, l, &m);
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].inode && !l->at[i].users && may_be_hidden(&l->at[i], &m))
			l->at[i].users = -1;
}

void il_listing_free(struct il_listing *l)
{
	free(l->at);
	*l = (struct il_listing){ 0 };
}
