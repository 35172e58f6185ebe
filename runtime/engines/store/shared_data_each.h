/* SPDX-License-Identifier: MIT
 *
 * The operation `each` of shared data in a store. Floor 2: no lua.h.
 */
#ifndef IL_STORE_SHARED_DATA_EACH_H
#define IL_STORE_SHARED_DATA_EACH_H

#include "engines/store/store.h"

/* All names that begin with op->name, as they are at one moment: see il_data_ops. 0; EAGAIN, as il_store_read; or
 * errno. */
int il_store_each(struct il_store *s, struct il_op *op, bool patiently);

#endif
