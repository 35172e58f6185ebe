/* SPDX-License-Identifier: MIT
 *
 * The table of engines. Floor 2: the one file that names them.
 */
#include "engines/local_data.h"
#include "engines/registry.h"
#include "base/reason.h"
#ifdef IL_LMDB
#	include "engines/disk/disk.h"
#endif
#include "engines/engine.h"
#include "engines/redis/redis.h"
#include "engines/shm/shm.h"
#include "engines/sysv/sysv.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#ifndef IL_LMDB
static int no_data(const struct il_key *key, struct il_data_options *o, struct il_data **d);
static int no_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q);

static const struct il_engine il_disk = { .name = "disk",
	.syncs = true,
	.jobs = true,
	.queue = no_queue,
	.data = no_data };
#endif

static const struct il_engine *const engines[] = { &il_sysv, &il_shm, &il_redis, &il_disk };

void il_engines_fini(void)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (engines[i] && engines[i]->fini)
			engines[i]->fini();
}

int il_engines_list(const char *folder, struct il_listing *l)
{
	int err = 0;
	if (folder)
		return il_disk.list ? il_disk.list(folder, l) : ENOTSUP;
	for (size_t i = 0; !err && i < sizeof engines / sizeof engines[0]; i++)
		if (engines[i]->list && engines[i] != &il_disk)
			err = engines[i]->list(NULL, l);
	return err;
}

int il_engines_remove_unused(const struct il_found *f, unsigned how)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcmp(engines[i]->name, f->engine) == 0)
			return engines[i]->remove_unused ? engines[i]->remove_unused(f, how) : ENOTSUP;
	return ENOTSUP;
}

#ifndef IL_LMDB
static int no_lmdb(void)
{
	return il_because(ENOTSUP, "this ipc was built without LMDB (lmdb.h of Debian's liblmdb-dev)");
}

static int no_data(const struct il_key *key, struct il_data_options *o, struct il_data **d)
{
	(void)key;
	(void)o;
	(void)d;
	return no_lmdb();
}

static int no_queue(const struct il_key *key, struct il_queue_options *o, struct il_queue **q)
{
	(void)key;
	(void)o;
	(void)q;
	return no_lmdb();
}

int il_local_data(const struct il_key *key, struct il_data_options *o, struct il_data **d)
{
	return no_data(key, o, d);
}
#endif

int il_file_key(struct il_key *key, const char *path, int project)
{
	key->engine = &il_sysv;
	return il_sysv_key(path, project, &key->id);
}

int il_shm_key(struct il_key *key, const char *name)
{
	key->engine = &il_shm;
	key->name = key->object = name;
	return name ? il_shm_check_name(name) : 0;
}

int il_disk_key(struct il_key *key, const char *path, const char *name)
{
	key->engine = &il_disk;
	key->name = path;
	key->object = name;
	return il_shm_check_name(name);
}

int il_redis_key(struct il_key *key, const char *url, char *text, const char **why)
{
	key->engine = &il_redis;
	key->name = url;
	return il_redis_check_url(url, text, &key->object, why);
}

int il_file_lock_new(const char *path, struct il_lock_options *o, struct il_lock **l)
{
	return il_sysv_file_lock(path, o, l);
}
