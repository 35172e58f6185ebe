/* SPDX-License-Identifier: MIT
 *
 * The order of the messages, see blocks.h: a ring of those that are ready and were never taken; others that are ready
 * (job_tree.h) come where they belong. Floor 2.
 */
#ifndef IL_SHM_ORDER_H
#define IL_SHM_ORDER_H

#include "base/shared_atomic.h"
#include "engines/shm/blocks_layout.h"

#include <stdbool.h>

/* Up to which place of the ring this process has looked for some types and found none. Messages are only added behind
 * all others, and none comes back: so it need not look there again. All zero at first. */
enum { IL_ORDER_TYPES = 8, IL_ORDER_AHEAD = 3 /* messages that are fetched before they are wanted */ };

struct il_order_seen {
	struct {
		int64_t type;
		uint64_t place;
	} of[IL_ORDER_TYPES];
};

/* For receivers. The message that receive takes: type 0 the first, n the first of type n, -n the first of the lowest
 * type up to n. EAGAIN: there is none; EUCLEAN: damaged. */
int il_order_find(const struct il_blocks *v, struct il_order_seen *seen, int64_t wanted, struct il_message *m);

/* For receivers. What most of them want: the first message, if there is no other kind of message. False: that is not
 * known. */
static inline bool il_order_oldest(const struct il_blocks *c, int64_t wanted, struct il_message *m)
{
	struct il_shm_receiving *r = c->receiving;
	uint64_t place = r->first;
	if (place == r->sent_seen)
		r->sent_seen = il_get64(&c->sending->sent);
	uint64_t ahead = r->sent_seen - place;
	if (!ahead || ahead > c->places || r->others)
		return false;
	uint32_t block = *il_order_at(c, place);
	if (block >= c->count || il_record_at(c, block)->place != place)
		return false;
	if (ahead > IL_ORDER_AHEAD)
		il_block_prefetch(c, *il_order_at(c, place + IL_ORDER_AHEAD), false);
	return (wanted == 0 || il_record_at(c, block)->type == wanted) && il_is_message(c, block, m);
}

/* For receivers. The type of the message at a place. False: there is none. */
bool il_order_type(const struct il_blocks *v, uint64_t place, int64_t *type);

/* With both latches: the oldest messages leave the ring, and are kept elsewhere. 0 or EUCLEAN. */
int il_order_make_room(const struct il_blocks *v);

#endif
