/* SPDX-License-Identifier: MIT
 *
 * The table of engines. Floor 2: the one file that names them.
 */
#include "engines/engine.h"
#include "engines/redis/redis.h"
#include "engines/shm/shm.h"
#include "engines/sysv/sysv.h"
#include "os/identity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const struct il_engine *const engines[] = { &il_sysv, &il_shm, &il_redis };

static struct {
	int err;
	char text[256];
} cause;

int il_because(int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(cause.text, sizeof cause.text, format, args);
	va_end(args);
	cause.err = err;
	return err;
}

const char *il_why(int err)
{
	return err && cause.err == err ? cause.text : NULL;
}

int il_check_proc(void)
{
	return il_identity_space() ? 0 : il_because(ENOENT, "/proc is not mounted, by which processes are told apart");
}

void il_engines_fini(void)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (engines[i] && engines[i]->fini)
			engines[i]->fini();
}

#ifndef IL_LMDB
int il_local_data(const struct il_key *key, struct il_data_options *o, struct il_data **d)
{
	(void)key;
	(void)o;
	(void)d;
	return il_because(ENOTSUP, "this ipc was built without LMDB (lmdb.h of Debian's liblmdb-dev)");
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

int il_redis_key(struct il_key *key, const char *url, char *text, const char **why)
{
	key->engine = &il_redis;
	key->name = url;
	return il_redis_check_url(url, text, &key->object, why);
}

const struct il_engine *il_redis_engine(void)
{
	return &il_redis;
}

int il_file_lock_new(const char *path, struct il_lock_options *o, struct il_lock **l)
{
	return il_sysv_file_lock(path, o, l);
}
