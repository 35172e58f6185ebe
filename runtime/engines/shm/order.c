/* SPDX-License-Identifier: MIT
 *
 * The order of the messages, see order.h. A message that is taken from the middle leaves an empty place behind. Should
 * the first one stay while so many others come and go that the ring is full of empty places, messages move up. Floor 2.
 */
#include "engines/shm/order.h"
#include "base/shared_atomic.h"
#include "engines/shm/blocks_layout.h"

#include <errno.h>

enum { AHEAD = 3 }; /* messages */

/* The places in use end before `end`. EUCLEAN: there are more than the ring has. */
static int order_end(const struct il_blocks *c, uint64_t *end)
{
	*end = c->receiving->sent_seen = il_get64(&c->sending->sent);
	return *end - c->receiving->first <= c->places ? 0 : EUCLEAN;
}

/* The block of the message at a place, and its type. EAGAIN: the place is empty. */
static inline int message_at(const struct il_blocks *c, uint64_t place, uint32_t *block, int64_t *type)
{
	*block = *il_order_at(c, place);
	if (*block == IL_NO_BLOCK)
		return EAGAIN;
	if (*block >= c->count || il_record_at(c, *block)->place != place)
		return EUCLEAN;
	*type = il_record_at(c, *block)->type;
	return 0;
}

/* From a place on, the first of the lowest type up to `most`. */
static int find_lowest(const struct il_blocks *c, uint64_t place, int64_t most, struct il_message *m)
{
	uint64_t end = c->receiving->sent_seen;
	uint32_t block, best = IL_NO_BLOCK;
	int64_t type;
	for (; most > 0; place++) {
		if (place == end && (order_end(c, &end) || place == end))
			break;
		int err = message_at(c, place, &block, &type);
		if (err == EUCLEAN)
			return err;
		if (err || type > most)
			continue;
		best = block;
		most = type - 1;
	}
	return best == IL_NO_BLOCK ? EAGAIN : il_is_message(c, best, m) ? 0 : EUCLEAN;
}

int il_order_find(const struct il_blocks *c, int64_t wanted, struct il_message *m)
{
	struct il_shm_receiving *r = c->receiving;
	uint64_t place = r->first, end = r->sent_seen;
	uint32_t block;
	int64_t type;
	if (end - place > c->places)
		return EUCLEAN;
	for (;; place++) {
		if (place == end) {
			int err = order_end(c, &end);
			if (err || place == end)
				return err ? err : EAGAIN;
		}
		int err = message_at(c, place, &block, &type);
		if (err == EAGAIN && place == r->first)
			il_put64(&r->first, place + 1);
		if (err == EAGAIN)
			continue;
		if (err)
			return err;
		if (wanted < 0)
			return find_lowest(c, place, -wanted, m);
		if (wanted == 0 || type == wanted)
			break;
	}
	if (end - place > AHEAD)
		il_block_prefetch(c, *il_order_at(c, place + AHEAD), false);
	return il_is_message(c, block, m) ? 0 : EUCLEAN;
}

bool il_order_type(const struct il_blocks *c, uint64_t place, int64_t *type)
{
	uint32_t block;
	return message_at(c, place, &block, type) == 0;
}

/* From the last on, so that each moves to an empty place. At any moment the records tell their order. */
int il_order_pack(const struct il_blocks *c)
{
	struct il_shm_receiving *r = c->receiving;
	uint64_t end, to;
	uint32_t block;
	int64_t type;
	int err = order_end(c, &end);
	to = end;
	for (uint64_t place = end; place != r->first && !err; place--) {
		err = message_at(c, place - 1, &block, &type);
		if (err || place == to--) {
			err = err == EAGAIN ? 0 : err;
			continue;
		}
		il_put64(&il_record_at(c, block)->place, to);
		*il_order_at(c, to) = block;
		*il_order_at(c, place - 1) = IL_NO_BLOCK;
	}
	if (!err)
		il_put64(&r->first, to);
	return err;
}
