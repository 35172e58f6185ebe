/* SPDX-License-Identifier: MIT
 *
 * The stores that there are, and the removal of one that no process uses. They are read, and not opened: an LMDB
 * environment has locks. Every process that has a store has its control file mapped, so the lease (os/lease.h) is on
 * that; one that opens the store meanwhile tries again until it finds that it was removed. Floor 2.
 */
#include "engines/listing.h"
#include "engines/local_data.h"
#include "engines/store/store.h"
#include "engines/waiters_entry.h"
#include "os/file.h"
#include "os/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "/dev/shm/"
#define PREFIX "ipclua.data."
#define SYSV "sysv:"

/* Bytes of all its files, and how old they are. */
static void describe_files(const char *path, struct il_found *f)
{
	static const char *const names[] = { "lock.mdb", "data.mdb", "control" };
	char name[IL_STORE_PATH + 16];
	struct stat st;
	int64_t size = 0;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(name, sizeof name, "%s/%s", path, names[i]);
		if (lstat(name, &st))
			continue;
		il_found_file(f, &st); /* the control file last: it stays mapped, and as it was made */
		size += f->size;
	}
	f->size = size;
}

/* fd: of the control file, or -1. 0; or ENOENT: it is not there any more. */
static int describe(const char *path, int fd, struct il_found *f)
{
	struct il_store_control control;
	int64_t names = 0;
	f->noun = "shared_data";
	describe_files(path, f);
	int err = il_store_read_files(path, fd, &control, &names);
	if (err == ENOENT || err == EAGAIN)
		return ENOENT;
	f->fault = il_found_fault(err);
	f->holds = names > 0 || (err && err != EIDRM);
	if (err)
		return 0;
	int64_t waiters = 0;
	for (uint32_t i = 0; i < IL_STORE_WAITERS; i++)
		waiters += il_waiter_state(&control.waiters[i]) != IL_WAITER_FREE &&
			!il_waiter_has_ended(&control.waiters[i]);
	il_found_number(f, "names", names);
	il_found_number(f, "capacity", (int64_t)control.size);
	il_found_number(f, "waiters", waiters);
	return 0;
}

static void name_key(const char *file, struct il_found *f)
{
	const char *name = file + strlen(PREFIX);
	bool sysv = strncmp(name, SYSV, strlen(SYSV)) == 0;
	snprintf(f->key, sizeof f->key, "%s%s", sysv ? "" : "shm:", name);
	for (char *at = f->key; *at; at++)
		*at = *at == '+' ? '/' : *at;
}

int il_local_data_list(struct il_listing *l)
{
	DIR *place = opendir(PLACE);
	int err = 0;
	for (struct dirent *e; !err && place && (e = readdir(place));) {
		char path[IL_STORE_PATH];
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 || strlen(e->d_name) + sizeof PLACE > sizeof path)
			continue;
		snprintf(path, sizeof path, PLACE "%.*s", (int)(sizeof path - sizeof PLACE), e->d_name);
		struct il_found *f = il_listing_add(l, "shm");
		err = f ? 0 : ENOMEM;
		if (!err && describe(path, -1, f))
			l->count--;
		else if (!err)
			name_key(e->d_name, f);
	}
	if (place)
		closedir(place);
	return err;
}

static void path_of(const struct il_found *f, char path[IL_STORE_PATH])
{
	struct il_key key = { .engine = NULL };
	if (strncmp(f->key, SYSV, strlen(SYSV)) == 0)
		snprintf(path, IL_STORE_PATH, PLACE PREFIX "%.40s", f->key);
	else
		key.name = f->key + strlen("shm:");
	if (key.name)
		il_directory_path(path, &key);
}

static int mark_removed(int fd)
{
	uint32_t one = 1;
	return pwrite(fd, &one, sizeof one, offsetof(struct il_store_control, removed)) == sizeof one ? 0 : errno;
}

/* With the lease on the control file. */
static int remove_leased(int control, const char *path, unsigned how)
{
	struct il_store_files files;
	struct il_found now = { .users = 0 };
	int fd, err = describe(path, control, &now);
	if (!err && !(how & IL_UNUSED_ANYTHING) && (now.holds || now.fault))
		return ENOTEMPTY;
	if (how & IL_UNUSED_LOOK)
		return err;
	if (!err)
		err = il_directory_check(path, &files);
	if (!err)
		err = il_directory_to_remove(path, &files, &fd);
	if (err)
		return err;
	err = mark_removed(control);
	if (!err && fd >= 0)
		err = il_directory_free(path, fd);
	if (fd >= 0)
		close(fd);
	return err;
}

int il_local_data_remove_unused(const struct il_found *f, unsigned how)
{
	char path[IL_STORE_PATH], name[IL_STORE_PATH + 16];
	int fd, err;
	path_of(f, path);
	snprintf(name, sizeof name, "%s/control", path);
	err = il_file_to_remove(name, O_RDWR, &fd);
	if (err) /* EAGAIN: another process has the lease */
		return err == EAGAIN ? EBUSY : err;
	err = il_lease_take(fd);
	if (!err)
		err = remove_leased(fd, path, how);
	close(fd);
	return err;
}
