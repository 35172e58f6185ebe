/* SPDX-License-Identifier: MIT
 *
 * The operations that change shared data in a store, as il_data_ops has them. 0; EAGAIN: a process is in the way, as
 * il_store_begin; or errno. Floor 2: no lua.h.
 */
#ifndef IL_STORE_SHARED_DATA_WRITE_H
#define IL_STORE_SHARED_DATA_WRITE_H

#include "engines/store/store.h"

int il_store_set(struct il_store *s, struct il_op *op, bool patiently);
int il_store_delete(struct il_store *s, struct il_op *op, bool patiently);
int il_store_change_names(struct il_store *s, struct il_op *op, bool patiently);
int il_store_clear(struct il_store *s, struct il_op *op, bool patiently);

#endif
