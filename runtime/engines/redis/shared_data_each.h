/* SPDX-License-Identifier: MIT
 *
 * The answer to data_each.lua. Floor 2: no lua.h.
 */
#ifndef IL_REDIS_SHARED_DATA_EACH_H
#define IL_REDIS_SHARED_DATA_EACH_H

#include "engines/redis/client/answer.h"

/* What the operation `each` answers, see il_data_ops. 0; EPROTO: it is not well formed; ENOMEM. */
int il_redis_data_listed(struct il_op *op, const struct il_request *r);

#endif
