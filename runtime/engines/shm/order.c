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

/* The first of the lowest type up to `most`. */
static int find_lowest(const struct il_blocks *c, int64_t most, struct il_message *m)
{
	uint64_t place = c->receiving->first, end = c->receiving->sent_seen;
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

/* The first from a place on, of a type if that is not 0. *from becomes its place, or where the places end. */
static int find_first(const struct il_blocks *c, int64_t wanted, uint64_t *from, struct il_message *m)
{
	uint64_t place = *from, end = c->receiving->sent_seen;
	uint32_t block;
	int64_t type;
	int err;
	for (;; place++) {
		if (place == end) {
			*from = place;
			err = order_end(c, &end);
			if (err || place == end)
				return err ? err : EAGAIN;
		}
		err = message_at(c, place, &block, &type);
		if (err == EUCLEAN)
			return err;
		if (!err && (wanted == 0 || type == wanted))
			break;
	}
	*from = place;
	if (end - place > AHEAD)
		il_block_prefetch(c, *il_order_at(c, place + AHEAD), false);
	return il_is_message(c, block, m) ? 0 : EUCLEAN;
}

static int find_type(const struct il_blocks *c, struct il_order_seen *seen, int64_t type, struct il_message *m)
{
	const struct il_shm_receiving *r = c->receiving;
	int i = (int)(type % IL_ORDER_TYPES);
	uint64_t place = r->first;
	if (seen->of[i].type == type && seen->of[i].place - place <= r->sent_seen - place)
		place = seen->of[i].place;
	int err = find_first(c, type, &place, m);
	seen->of[i].type = type;
	seen->of[i].place = place;
	return err;
}

static void skip_empty(const struct il_blocks *c)
{
	struct il_shm_receiving *r = c->receiving;
	uint64_t first = r->first;
	while (first != r->sent_seen && *il_order_at(c, first) == IL_NO_BLOCK)
		first++;
	if (first != r->first)
		il_put64(&r->first, first);
}

int il_order_find(const struct il_blocks *c, struct il_order_seen *seen, int64_t wanted, struct il_message *m)
{
	const struct il_shm_receiving *r = c->receiving;
	if (r->sent_seen - r->first > c->places)
		return EUCLEAN;
	skip_empty(c);
	if (wanted == 0)
		return find_first(c, 0, &(uint64_t){ r->first }, m);
	if (wanted > 0)
		return find_type(c, seen, wanted, m);
	if (wanted < -IL_ORDER_TYPES)
		return find_lowest(c, -wanted, m);
	int err = EAGAIN;
	for (int64_t type = 1; type <= -wanted && err == EAGAIN; type++)
		err = find_type(c, seen, type, m);
	return err;
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
