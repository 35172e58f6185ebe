/* SPDX-License-Identifier: MIT
 *
 * Shared data on this machine, for the tables of the engines of file keys and of shared memory: the store has it.
 * Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_LOCAL_DATA_H
#define IL_ENGINES_LOCAL_DATA_H

#include "engines/engine.h"

int il_local_data(const struct il_key *key, struct il_data_options *o, struct il_data **d);
#ifdef IL_LMDB
void il_local_data_place(const struct il_key *key, bool remove, char text[IL_PLACE_TEXT]);
void il_local_data_fini(void);

/* For list and remove_unused of the table of shm keys: the stores of all keys. */
int il_local_data_list(struct il_listing *l);
int il_local_data_remove_unused(const struct il_found *f, unsigned how);
#else
#	define il_local_data_place(key, remove, text) ((void)(key), (void)(remove), (void)(text))
#	define il_local_data_fini NULL
#	define il_local_data_list(l) ((void)(l), 0)
#	define il_local_data_remove_unused(f, how) ((void)(f), (void)(how), ENOTSUP)
#endif

#endif
