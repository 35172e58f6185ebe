/* SPDX-License-Identifier: MIT
 *
 * The table of engines: what makes their keys, by which all else of them is found (engine.h).
 * Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_REGISTRY_H
#define IL_ENGINES_REGISTRY_H

#include "engines/engine.h"

/* File keys: sets id from the file's inode, device and project. 0 or errno; EINVAL: the key is 0, which is private. */
int il_file_key(struct il_key *key, const char *path, int project);

/* Keys of shared memory: name of letters, digits and "._-/", 200 bytes at most, or NULL. 0 or EINVAL. */
int il_shm_key(struct il_key *key, const char *name);

/* Keys of a disk: the path of a folder from the root on, and a name as one of shared memory has it. 0 or EINVAL: that
 * is no name. */
int il_disk_key(struct il_key *key, const char *path, const char *name);

enum { IL_URL_MORE = 128 }; /* default ports of 16 hosts, and a database */

/* Keys of a Redis server: a URL; `text`, of as many bytes and IL_URL_MORE, becomes what may be shown of it, which has
 * no password. 0; ENOMEM; EINVAL, and *why says what is wrong with it. */
int il_redis_key(struct il_key *key, const char *url, char *text, const char **why);

/* flock(2) on a path, of file keys' engine only. */
int il_file_lock_new(const char *path, struct il_lock_options *o, struct il_lock **l);

/* The same of all engines as list and remove_unused of their tables. `folder`: that of a disk, or NULL: all there is on
 * this machine. */
int il_engines_list(const char *folder, struct il_listing *l);
int il_engines_remove_unused(const struct il_found *f, unsigned how);

/* All engines' fini. */
void il_engines_fini(void);

#endif
