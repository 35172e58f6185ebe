/* SPDX-License-Identifier: MIT
 *
 * Stores: laying out, making, checking, removing. All of the space is reserved when a store is made, so a full
 * /dev/shm is an error then and no SIGBUS later.
 * Floor 2.
 */
#include "engines/local_data.h"
#include "engines/store/environment.h"
#include "engines/store/store.h"
#include "engines/store/wait.h"
#include "base/fork.h"
#include "base/reason.h"
#include "base/shared_atomic.h"
#include "engines/store/state.h"
#include "os/file.h"
#include "os/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LAYOUT = 5,
	CONTROL_SIZE = 4096,
	LOCK_SIZE = 65536, /* room for 1000 processes that read */
	LARGEST_PAGE = 32768,
	DEFAULT_SIZE = 4 << 20,
	TRIES = 64,
	FEW = 8,
	NAP = 1000000, /* ns */
};

_Static_assert(sizeof(struct il_store_control) <= CONTROL_SIZE, "it is one page");

static const uint64_t MAGIC = 0x746164636c706920; /* " iplcdat" */

/* The start of the two first pages of data.mdb: LMDB 0.9, format 1. */
struct meta {
	uint64_t page;
	uint16_t pad, flags;
	uint32_t bounds, magic, version;
	void *address;
	size_t map;
	struct {
		uint32_t pad;
		uint16_t flags, depth;
		size_t counts[5];
	} trees[2]; /* the first's pad: bytes of a page */
	size_t last, txn;
};

/* Sizes ------------------------------------------------------------------------------------------------- */

static size_t page_size(void)
{
	long size = sysconf(_SC_PAGESIZE);
	return size > LARGEST_PAGE ? LARGEST_PAGE : (size_t)size;
}

/* Beyond the pages that names and values may take there are those that a change needs before it gives the old ones
 * back, two changes later: as much as the largest value, a quarter, and LMDB's own lists. So there is always room to
 * delete. */
static void lay_out(struct il_store_control *control, size_t size)
{
	size_t page = page_size(), grain = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;
	*control = (struct il_store_control){
		.magic = MAGIC,
		.layout = LAYOUT,
		.page = (uint32_t)page,
		.size = size,
		.pages = pages,
		.map = ((pages + pages / 4 + pages / 64 + 66) * page + grain - 1) / grain * grain,
		.pids = il_identity_space(),
	};
}

/* A directory that was copied, or has another's name, or another's files, is none that can be used. */
static int check_control(const struct il_store_control *control, const char *path, const struct il_store_files *files)
{
	if (control->magic != MAGIC)
		return EINVAL;
	if (control->layout != LAYOUT || control->page != page_size())
		return EPROTO;
	if (control->size > SIZE_MAX / 2 || control->pages != (control->size + control->page - 1) / control->page ||
		control->map / control->page < control->pages ||
		strncmp(control->path, path, sizeof control->path) != 0 ||
		control->data != files->inodes[IL_STORE_DATA] || control->lock != files->inodes[IL_STORE_LOCK])
		return EUCLEAN;
	return control->pids == il_identity_space() ? 0 : EXDEV;
}

/* What LMDB would believe: it has no check of its own against a file that is too short, or full of holes. */
static int check_data(int fd, const struct il_store_control *control)
{
	struct stat st;
	if (fstat(fd, &st))
		return errno;
	if ((uint64_t)st.st_size != control->map || (uint64_t)st.st_blocks * 512 < control->map)
		return EUCLEAN;
	for (int i = 0; i < 2; i++) {
		struct meta m;
		if (pread(fd, &m, sizeof m, (off_t)i * control->page) != sizeof m)
			return EUCLEAN;
		if (m.magic != 0xBEEFC0DE || m.trees[0].pad != control->page || m.map > control->map ||
			m.last >= control->map / control->page)
			return EUCLEAN;
		if (m.version != 1)
			return EPROTO;
	}
	return 0;
}

/* The entries of the newer of the two commits that are kept. Beside the names there may be an index. */
static int count_names(int fd, const struct il_store_control *control, int64_t *names)
{
	struct meta m, newest = { .txn = 0 };
	*names = 0;
	for (int i = 0; i < 2; i++) {
		if (pread(fd, &m, sizeof m, (off_t)i * control->page) != sizeof m)
			return EUCLEAN;
		if (m.txn >= newest.txn)
			newest = m;
	}
	*names = (int64_t)newest.trees[1].counts[3];
	*names -= *names && control->expiring;
	return 0;
}

static int open_to_read(const char *path, const char *file)
{
	char name[IL_STORE_PATH + 16];
	snprintf(name, sizeof name, "%s/%s", path, file);
	return open(name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

static int read_control(const char *path, int fd, struct il_store_control *control)
{
	int own = fd < 0 ? open_to_read(path, "control") : -1;
	if (fd < 0 && own < 0)
		return errno;
	int err = pread(fd < 0 ? own : fd, control, sizeof *control, 0) == sizeof *control ? 0 : EUCLEAN;
	if (own >= 0)
		close(own);
	return err;
}

int il_store_read_files(const char *path, int fd, struct il_store_control *control, int64_t *names)
{
	struct il_store_files files;
	int err = il_directory_check(path, &files);
	if (!err)
		err = read_control(path, fd, control);
	if (!err)
		err = check_control(control, path, &files);
	if (!err && control->removed)
		err = EIDRM;
	fd = err ? -1 : open_to_read(path, "data.mdb");
	if (!err)
		err = fd < 0 ? errno : check_data(fd, control);
	if (!err)
		err = count_names(fd, control, names);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Opening and making ------------------------------------------------------------------------------------ */

static int map_control(const char *path, uint64_t inode, struct il_store_control **control)
{
	char name[IL_STORE_PATH + 16];
	struct stat st;
	snprintf(name, sizeof name, "%s/control", path);
	int fd = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? EAGAIN : errno;
	int err = fstat(fd, &st) ? errno : st.st_ino != inode ? EAGAIN : 0;
	if (!err && (st.st_size != CONTROL_SIZE || !st.st_blocks))
		err = EUCLEAN;
	if (!err) {
		void *at = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = at == MAP_FAILED ? errno : 0;
		*control = at;
	}
	close(fd);
	return err;
}

static int write_control(const char *path, struct il_store_control *control)
{
	struct il_store_control *mapped;
	struct il_store_files files;
	int err = il_directory_reserve(path, "control", CONTROL_SIZE);
	if (!err)
		err = il_directory_check(path, &files);
	if (err)
		return err;
	control->data = files.inodes[IL_STORE_DATA];
	control->lock = files.inodes[IL_STORE_LOCK];
	err = map_control(path, files.inodes[IL_STORE_CONTROL], &mapped);
	if (err)
		return err;
	*mapped = *control;
	munmap(mapped, CONTROL_SIZE);
	return 0;
}

/* LMDB writes the first two pages itself, and then only makes the file long: the space is for us to reserve. */
static int fill(const char *path, const char *for_path, size_t size)
{
	struct il_store_control control;
	MDB_env *env;
	int fds[2], err = il_directory_reserve(path, "lock.mdb", LOCK_SIZE);
	lay_out(&control, size);
	strcpy(control.path, for_path);
	if (!err)
		err = il_environment_new(path, control.map, &env, fds);
	if (err)
		return err;
	err = il_file_reserve(fds[0], control.map);
	if (!err)
		err = write_control(path, &control);
	mdb_env_close(env);
	return err;
}

/* EEXIST: another process has made it first. */
static int create(const char *path, const struct il_data_options *o)
{
	char temporary[IL_STORE_PATH];
	int guard, err = il_directory_make(temporary, &guard);
	if (err)
		return err;
	err = fill(temporary, path, o->size);
	if (!err)
		err = il_directory_publish(temporary, path, o->mode);
	if (err)
		il_directory_leave(temporary, guard);
	else
		close(guard);
	return err;
}

/* By the control file: that is what processes share. */
static struct il_store *find(const struct il_store_files *files)
{
	uint64_t inode = files->inodes[IL_STORE_CONTROL];
	struct il_table_item *item = il_table_find(&il_store_state()->by_file, inode);
	for (; item; item = il_table_next(item)) {
		struct il_store *s = il_container_of(item, struct il_store, item);
		if (s->files.device == files->device)
			return s;
	}
	return NULL;
}

static void free_store(struct il_store *s)
{
	il_environment_close(s);
	if (s->control)
		munmap(s->control, CONTROL_SIZE);
	if (s->guard >= 0)
		il_directory_leave(s->path, s->guard);
	free(s->buffer);
	free(s);
}

/* `name`: the path that the control file has to have. */
static int attach(const char *path, const char *for_path, const struct il_store_files *files, struct il_store **result)
{
	char name[IL_STORE_PATH + 16];
	struct il_store *s = calloc(1, sizeof *s);
	if (!s)
		return ENOMEM;
	*s = (struct il_store){ .files = *files, .refs = 1, .guard = -1, .generation = il_fork.generation };
	strcpy(s->path, path);
	int err = map_control(path, files->inodes[IL_STORE_CONTROL], &s->control);
	if (!err)
		err = check_control(s->control, for_path, files);
	snprintf(name, sizeof name, "%s/data.mdb", path);
	int fd = err ? -1 : open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (!err)
		err = fd < 0 ? (errno == ENOENT ? EAGAIN : errno) : check_data(fd, s->control);
	if (fd >= 0)
		close(fd);
	if (!err)
		err = il_store_enter(s, true);
	if (err && err != EIDRM) {
		free_store(s);
		return err;
	}
	il_list_add(&il_store_state()->stores, &s->node);
	il_table_add(&il_store_state()->by_file, &s->item, files->inodes[IL_STORE_CONTROL]);
	il_store_wait_init(s);
	*result = s;
	return err;
}

/* What this process has open is known by its control file; and that must be found where it was made, with the files it
 * was made with. */
static int use_again(struct il_store *s, const char *path, const struct il_store_files *files)
{
	if (strcmp(s->path, path) != 0 || il_directory_compare(files, &s->files))
		return EUCLEAN;
	s->refs++;
	int err = il_store_enter(s, true);
	if (err && err != EIDRM)
		il_store_drop(s);
	return err;
}

/* It was removed, by a process that has not got to its files. */
static int finish_removal(const char *path, const struct il_store_files *files)
{
	int fd, err = il_directory_to_remove(path, files, &fd);
	if (!err && fd >= 0)
		err = il_directory_free(path, fd);
	if (fd >= 0)
		close(fd);
	if (err == EPERM)
		err = il_because(EACCES, "it was removed, but its files belong to another user: rm -r %s", path);
	return err ? err : EAGAIN;
}

/* EAGAIN: try again. */
static int open_path(const char *path, struct il_data_options *o, struct il_store **result)
{
	struct il_store_files files;
	int err = il_directory_check(path, &files);
	if (err == ENOENT && o->mode == IL_MODE_EXISTING)
		return ENOENT;
	if (err == ENOENT) {
		err = create(path, o);
		return err && err != EEXIST ? err : EAGAIN;
	}
	if (err)
		return err;
	struct il_store *s = find(&files);
	err = s ? use_again(s, path, &files) : attach(path, path, &files, &s);
	if (err && err != EIDRM)
		return err;
	o->found = s->control->size;
	bool removed = err && il_get(&s->control->removed);
	if (!err && o->given && o->found != o->size)
		err = EEXIST;
	if (err)
		il_store_drop(s);
	else
		*result = s;
	return removed ? finish_removal(path, &files) : err == EIDRM ? EAGAIN : err;
}

static int open_anonymous(struct il_data_options *o, struct il_store **result)
{
	char path[IL_STORE_PATH];
	struct il_store_files files;
	int guard, err = il_directory_make(path, &guard);
	if (err)
		return err;
	err = fill(path, "", o->size);
	if (!err)
		err = il_directory_check(path, &files);
	if (!err)
		err = attach(path, "", &files, result);
	if (err == EIDRM)
		il_store_drop(*result);
	if (err)
		il_directory_leave(path, guard);
	else
		(*result)->guard = guard;
	return err;
}

static int explain(int err, const struct il_data_options *o)
{
	if (err != ENOSPC)
		return err;
	return il_because(err, "/dev/shm has no room for %zu bytes and a quarter more", o->size);
}

int il_store_open(const struct il_key *key, struct il_data_options *o, struct il_store **s)
{
	char path[IL_STORE_PATH];
	int err = key->name || key->id ? il_identity_require() : 0;
	if (err)
		return err;
	o->given = o->size != 0;
	if (!o->given)
		o->size = DEFAULT_SIZE;
	il_directory_path(path, key);
	if (!path[0])
		return o->mode == IL_MODE_EXISTING ? ENOENT : explain(open_anonymous(o, s), o);
	err = EAGAIN;
	for (int i = 0; i < TRIES && err == EAGAIN; i++) {
		if (i > FEW) /* another process is at it: it makes the store, or removes it */
			nanosleep(&(struct timespec){ .tv_nsec = NAP }, NULL);
		err = open_path(path, o, s);
	}
	return explain(err, o);
}

void il_store_drop(struct il_store *s)
{
	if (--s->refs)
		return;
	il_store_wait_fini(s);
	il_list_del(&s->node);
	il_table_del(&il_store_state()->by_file, &s->item);
	free_store(s);
}

/* A child that ends leaves its handles as they are. The last process that has private data deletes it. */
void il_local_data_fini(void)
{
	il_list_each(struct il_store, s, &il_store_state()->stores, node) {
		if (s->guard >= 0)
			il_directory_leave(s->path, s->guard);
		s->guard = -1;
	}
	il_directory_fini();
}

/* Of one that is damaged, too, whose lock cannot be had. */
static int mark_removed(struct il_store *s, bool patiently)
{
	MDB_txn *txn = NULL;
	int err = il_store_begin(s, &txn, patiently);
	if (err && err != EUCLEAN && err != EINVAL && err != EPROTO)
		return err;
	il_put(&s->control->removed, 1);
	il_store_change(s, NULL, 0);
	if (!err)
		il_store_abort(s, txn);
	return 0;
}

/* A process that may not remove the files changes nothing. */
int il_store_remove(struct il_store *s, bool patiently)
{
	int fd = -1, err = s->guard < 0 ? il_directory_to_remove(s->path, &s->files, &fd) : 0;
	if (!err)
		err = mark_removed(s, patiently);
	if (!err && s->guard >= 0)
		err = il_directory_delete(s->path);
	else if (!err && fd >= 0)
		err = il_directory_free(s->path, fd);
	if (fd >= 0)
		close(fd);
	return err;
}
