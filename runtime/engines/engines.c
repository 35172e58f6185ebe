/* SPDX-License-Identifier: MIT
 *
 * The table of engines. Floor 2: the one file that names them.
 */
#include "engines/engine.h"
#include "engines/shm/shm.h"
#include "engines/sysv/sysv.h"

static const struct il_engine *const engines[] = { &il_sysv, &il_shm };

void il_engines_after_fork(void)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (engines[i]->after_fork)
			engines[i]->after_fork();
}

int il_file_key(struct il_key *key, const char *path, int project)
{
	key->engine = &il_sysv;
	return il_sysv_key(path, project, &key->id);
}

int il_shm_key(struct il_key *key, const char *name)
{
	key->engine = &il_shm;
	key->name = name;
	return name ? il_shm_check_name(name) : 0;
}

int il_file_lock_new(const char *path, struct il_lock_options *o, struct il_lock **l)
{
	return il_sysv_file_lock(path, o, l);
}
