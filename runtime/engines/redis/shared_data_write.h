/* SPDX-License-Identifier: MIT
 *
 * Operations of shared data on a server that change it: attempts and starts for il_data_ops. Floor 2: no lua.h.
 */
#ifndef IL_REDIS_SHARED_DATA_WRITE_H
#define IL_REDIS_SHARED_DATA_WRITE_H

#include "loop/op.h"

#include <stdbool.h>

bool il_redis_data_set_attempt(struct il_op *op);
int il_redis_data_set_start(struct il_op *op);
int il_redis_data_delete_start(struct il_op *op);
int il_redis_data_change_start(struct il_op *op);
int il_redis_data_clear_start(struct il_op *op);
int il_redis_data_add_start(struct il_op *op);

#endif
