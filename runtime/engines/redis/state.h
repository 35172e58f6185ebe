/* SPDX-License-Identifier: MIT
 *
 * The servers that a runtime talks to, and what their requests are made of.
 * Floor 2: no lua.h.
 */
#ifndef IL_REDIS_STATE_H
#define IL_REDIS_STATE_H

#include "base/list.h"
#include "engines/part.h"
#include "engines/redis/client/resp.h"
#include "loop/poller.h"

struct il_redis_state {
	struct il_list servers; /* of struct il_server */
	struct il_list spare; /* of struct il_request */
	int spares;
	uint32_t made; /* ids of objects */
	uint32_t names; /* of handles of locks */
	int64_t numbers; /* of requests that may be made twice */
	struct il_list queues; /* of struct il_rq */
	struct il_resp command; /* the one that is being written, */
	uint32_t begun; /* and how many there were */
	struct il_tls_library *tls; /* once it is loaded */
	struct il_list due; /* of struct il_redis_waiter: to be looked after when the loop asks the kernel next */
	struct il_poller poller; /* does that */
};

_Static_assert(sizeof(struct il_redis_state) <= IL_PART_SIZE, "there is no room for the state");

static inline struct il_redis_state *il_redis_state(void)
{
	struct il_redis_state *s = il_part(IL_PART_REDIS);
	if (!s->servers.next) {
		il_list_init(&s->servers);
		il_list_init(&s->spare);
		il_list_init(&s->due);
		il_list_init(&s->queues);
	}
	return s;
}

#endif
