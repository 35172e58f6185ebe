/* SPDX-License-Identifier: MIT
 *
 * The order of the messages, see blocks.h: a ring of those that are ready and were never taken; others that are ready
 * (job_tree.h) come where they belong. Floor 2.
 */
#ifndef IL_SHM_ORDER_H
#define IL_SHM_ORDER_H

#include "engines/shm/blocks.h"

#include <stdbool.h>

/* Up to which place of the ring this process has looked for some types and found none. Messages are only added behind
 * all others, and none comes back: so it need not look there again. All zero at first. */
enum { IL_ORDER_TYPES = 8 };

struct il_order_seen {
	struct {
		int64_t type;
		uint64_t place;
	} of[IL_ORDER_TYPES];
};

/* For receivers. The message that receive takes: type 0 the first, n the first of type n, -n the first of the lowest
 * type up to n. EAGAIN: there is none; EUCLEAN: damaged. */
int il_order_find(const struct il_blocks *v, struct il_order_seen *seen, int64_t wanted, struct il_message *m);

/* For receivers. The type of the message at a place. False: there is none. */
bool il_order_type(const struct il_blocks *v, uint64_t place, int64_t *type);

/* With both latches: the oldest messages leave the ring, and are kept elsewhere. 0 or EUCLEAN. */
int il_order_make_room(const struct il_blocks *v);

#endif
