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
#else
#	define il_local_data_place(key, remove, text) ((void)(key), (void)(remove), (void)(text))
#	define il_local_data_fini NULL
#endif

#endif
