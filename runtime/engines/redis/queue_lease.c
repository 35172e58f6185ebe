/* SPDX-License-Identifier: MIT
 *
 * The lease for the jobs of a queue, see queue_lease.h. Floor 2.
 */
#include "engines/redis/queue_lease.h"
#include "base/clock.h"

#include <errno.h>

enum { MS = 1000000 };

#define MOST_MS ((UINT64_C(1) << 50) - 1) /* of a time that a server tells */

static int64_t third(const struct il_rq *q)
{
	return q->waits.object.lease / 3;
}

void il_rq_lease_kept(struct il_rq *q, const struct il_request *r, uint64_t server_ms)
{
	struct il_rq_lease *l = &q->lease;
	int64_t until = il_time_add(r->sent_at, q->waits.object.lease);
	if (l->until < until)
		l->until = until;
	if (l->kept_at < r->sent_at)
		l->kept_at = r->sent_at;
	l->clock = (int64_t)(server_ms & MOST_MS) - r->sent_at / MS;
}

bool il_rq_lease_is_over(const struct il_rq *q)
{
	return il_now() > q->lease.until;
}

void il_rq_lease_time(struct il_command *c, const struct il_rq *q)
{
	int64_t now = il_now();
	il_command_number(c, now < q->lease.kept_at + third(q) ? now / MS + q->lease.clock : 0);
}

/* Beats -------------------------------------------------------------------------------------------------- */

void il_rq_lease_arm(struct il_rq *q)
{
	struct il_rq_lease *l = &q->lease;
	int64_t last = l->beat_at > l->kept_at ? l->beat_at : l->kept_at;
	int64_t now = il_now(), due = last + third(q);
	if (il_list_empty(&q->jobs))
		return;
	if (q->losses && l->until >= now && l->until < due)
		due = l->until + 1;
	il_timer_start(&l->beat, due > now ? due - now : 0);
	il_timer_arm(&l->beat, false); /* no memory: the next job tries again */
}

static void answered(struct il_request *r)
{
	struct il_rq *q = r->owner;
	int err = il_request_status(r);
	il_list_del(&r->mine);
	if (!err) {
		il_rq_lease_kept(q, r, (uint64_t)il_reply_number(r, 1));
		q->lease.kept(q);
	} else if (err == ESTALE || err == EIDRM) {
		q->lease.lost(q, true);
	}
	il_request_free(r);
}

/* One that waits for a connection is enough; one that has been written may have to be followed, while no answers are
 * read. */
static void beat(struct il_rq *q)
{
	struct il_rq_lease *l = &q->lease;
	struct il_command c;
	struct il_request *r;
	l->beat_at = il_now();
	if (!il_list_empty(&l->beats) && !il_container_of(l->beats.prev, struct il_request, mine)->sent)
		return;
	il_rq_command(&c, q, IL_SCRIPT_queue_beat);
	il_command_text(&c, il_server_client(q->waits.object.server));
	il_command_number(&c, q->waits.object.lease / MS);
	if (il_request_make(&c, IL_SAFE | IL_PATIENT, answered, q, &r) == 0)
		il_list_add(&l->beats, &r->mine);
	il_server_flush(q->waits.object.server);
}

/* Answers may have come while Lua was busy. */
static void report_losses(struct il_rq *q)
{
	if (!q->losses || !il_rq_lease_is_over(q))
		return;
	il_server_read(q->waits.object.server);
	if (il_rq_lease_is_over(q))
		q->lease.lost(q, false);
}

static void expired(struct il_timer *t)
{
	struct il_rq *q = il_container_of(t, struct il_rq, lease.beat);
	int64_t now = il_now();
	report_losses(q);
	if (!il_list_empty(&q->jobs) && now >= q->lease.beat_at + third(q) && now >= q->lease.kept_at + third(q))
		beat(q);
	il_rq_lease_arm(q);
}

/* Life ----------------------------------------------------------------------------------------------------- */

void il_rq_lease_init(struct il_rq *q, void (*kept)(struct il_rq *q), void (*lost)(struct il_rq *q, bool ended))
{
	q->lease = (struct il_rq_lease){ .beat.expired = expired, .kept = kept, .lost = lost };
	il_list_init(&q->lease.beats);
}

void il_rq_lease_fini(struct il_rq *q)
{
	il_timer_disarm(&q->lease.beat);
	while (!il_list_empty(&q->lease.beats))
		il_request_forget(il_container_of(q->lease.beats.next, struct il_request, mine));
}

void il_rq_lease_forked(struct il_rq *q)
{
	il_timer_disarm(&q->lease.beat);
	il_rq_lease_init(q, q->lease.kept, q->lease.lost);
}
