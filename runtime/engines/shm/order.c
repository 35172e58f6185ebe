/* SPDX-License-Identifier: MIT
 *
 * The order of the messages, see order.h. A message that is taken from the middle leaves an empty place behind. Should
 * the first one stay while so many others come and go that the ring is full of empty places, the oldest leave it for
 * the tree of those that are ready again. Floor 2.
 */
#include "engines/shm/order.h"
#include "engines/shm/job_tree.h"
#include "engines/shm/jobs.h"

#include <errno.h>

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
	if (end - place > IL_ORDER_AHEAD)
		il_block_prefetch(c, *il_order_at(c, place + IL_ORDER_AHEAD), false);
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

static int find_ordered(const struct il_blocks *c, struct il_order_seen *seen, int64_t wanted, struct il_message *m)
{
	if (wanted == 0)
		return find_first(c, 0, &(uint64_t){ c->receiving->first }, m);
	if (wanted > 0)
		return find_type(c, seen, wanted, m);
	if (wanted < -IL_ORDER_TYPES)
		return find_lowest(c, -wanted, m);
	int err = EAGAIN;
	for (int64_t type = 1; type <= -wanted && err == EAGAIN; type++)
		err = find_type(c, seen, type, m);
	return err;
}

/* One of those that are ready again may come before it. */
static int __attribute__((noinline))
find_again(const struct il_blocks *c, int64_t wanted, int err, struct il_message *m)
{
	struct il_message again;
	if (err && err != EAGAIN)
		return err;
	int other = il_job_tree_find(c, wanted, &again);
	if (other)
		return other == EAGAIN ? err : other;
	bool by_type = !err && wanted < 0 && again.type != m->type;
	if (err || (by_type ? again.type < m->type : again.place < m->place))
		*m = again;
	return 0;
}

int il_order_find(const struct il_blocks *c, struct il_order_seen *seen, int64_t wanted, struct il_message *m)
{
	const struct il_shm_receiving *r = c->receiving;
	if (il_order_oldest(c, wanted, m))
		return 0;
	if (r->sent_seen - r->first > c->places)
		return EUCLEAN;
	skip_empty(c);
	int err = find_ordered(c, seen, wanted, m);
	return r->others && c->jobs->ready ? find_again(c, wanted, err, m) : err;
}

bool il_order_type(const struct il_blocks *c, uint64_t place, int64_t *type)
{
	uint32_t block;
	return message_at(c, place, &block, type) == 0;
}

/* Until half of the ring is free, so that this is worth its price. */
int il_order_make_room(const struct il_blocks *c)
{
	struct il_shm_receiving *r = c->receiving;
	struct il_message m;
	uint64_t end;
	int err = order_end(c, &end);
	while (!err && r->first != end && end - r->first > c->places / 2) {
		uint32_t block = *il_order_at(c, r->first);
		if (block == IL_NO_BLOCK)
			il_put64(&r->first, r->first + 1);
		else if (il_is_message(c, block, &m) && m.place == r->first)
			err = il_jobs_move(c, &m, IL_RECORD_AGAIN, 0);
		else
			err = EUCLEAN;
	}
	return err;
}
