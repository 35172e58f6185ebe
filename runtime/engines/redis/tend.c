/* SPDX-License-Identifier: MIT
 *
 * Keeping the claims of a handle alive, see lock.h: one request for all, every third of a lease, while there are any;
 * and once more when the first lease of a holder ends, if somebody waits. The timer comes through the hook as well, so
 * leases are renewed while Lua is busy. Floor 2.
 */
#include "engines/redis/lock.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MS = 1000000, DIGITS = 21 };

static const int64_t MARGIN = 2 * MS; /* the server counts in ms */

static bool keeps(const struct il_claim *c)
{
	return !c->request && !c->lost;
}

/* The numbers of the claims as text; NULL without memory. Those in line that are being asked for are not known there
 * yet. */
static char *list(const struct il_list *claims, bool held)
{
	size_t count = 0;
	char *text, *at;
	for (const struct il_list *l = claims->next; l != claims; l = l->next)
		count++;
	at = text = malloc(count * DIGITS + 1);
	if (!text)
		return NULL;
	*at = '\0';
	for (const struct il_list *l = claims->next; l != claims; l = l->next) {
		const struct il_claim *c = il_container_of(l, struct il_claim, node);
		if (held ? !c->lost && !c->releasing : keeps(c))
			at += snprintf(at, DIGITS, "%lld ", (long long)c->number);
	}
	return text;
}

static int64_t next_number(const char **text)
{
	char *end;
	int64_t n = strtoll(*text, &end, 10);
	*text = end;
	return n;
}

/* A holder is not one any more. Who waited and was silent for too long stands at the end. */
static void lost(struct il_redis_lock *h, int64_t number)
{
	struct il_claim *c = il_claim_find(&h->held, number);
	if (c) {
		c->lost = true;
		return;
	}
	c = il_claim_find(&h->line, number);
	if (c && !c->request)
		il_claim_ask(c); /* ENOMEM: with the next one */
}

static void kept(struct il_redis_lock *h, const struct il_request *r)
{
	size_t size;
	int64_t until = il_time_add(r->sent_at, h->lease), number;
	for (struct il_list *l = h->held.next; l != &h->held; l = l->next) {
		struct il_claim *c = il_container_of(l, struct il_claim, node);
		if (c->until < until && !c->releasing)
			c->until = until;
	}
	const char *text = il_reply_bytes(r, 3, &size);
	while ((number = next_number(&text)))
		lost(h, number);
	text = il_reply_bytes(r, 4, &size);
	while ((number = next_number(&text))) {
		int64_t abandoned = next_number(&text), fence = next_number(&text);
		struct il_claim *c = il_claim_find(&h->line, number);
		if (c)
			il_claim_grant(c, abandoned, fence, until);
	}
	il_tend_look(h, r, il_reply_number(r, 2));
}

static void answered(struct il_request *r)
{
	struct il_redis_lock *h = r->owner;
	int err = il_request_status(r);
	il_list_del(&r->mine);
	if (r == h->last_tend)
		h->last_tend = NULL;
	if (!err)
		kept(h, r);
	else if (err == EIDRM)
		h->removed = true;
	if (err == EIDRM || r->err) /* or the server is given up */
		il_claims_fail(h, err);
	il_request_free(r);
	if (h->tend_again && il_list_empty(&h->tends))
		il_tend_soon(h);
}

/* The answer to a release was not waited for: it has ended by now. */
static void forget_released(struct il_redis_lock *h)
{
	for (struct il_list *next, *l = h->held.next; l != &h->held; l = next) {
		struct il_claim *c = il_container_of(l, struct il_claim, node);
		next = l->next;
		if (c->releasing && il_now() > c->until)
			il_claim_free(c);
	}
}

static void tend(struct il_redis_lock *h)
{
	struct il_command c;
	struct il_request *r;
	forget_released(h);
	char *held = list(&h->held, true), *line = list(&h->line, false);
	h->tended = il_now();
	h->look_at = IL_NEVER;
	h->tend_again = false;
	if (held && line && (*held || *line)) {
		il_redis_lock_call(&c, h, "tend");
		il_command_text(&c, held);
		il_command_text(&c, line);
		if (il_request_make(&c, IL_SAFE | IL_PATIENT, answered, h, &r) == 0) {
			il_list_add(&h->tends, &r->mine);
			h->last_tend = r;
		}
	}
	free(held);
	free(line);
	il_tend_arm(h);
}

void il_tend_soon(struct il_redis_lock *h)
{
	if (il_list_empty(&h->tends))
		tend(h);
	else
		h->tend_again = true;
}

void il_tend_up(struct il_listener *l)
{
	il_tend_soon(il_container_of(l, struct il_redis_lock, face.listener));
}

int64_t il_tend_time(int64_t ms)
{
	return ms > 0 && ms < IL_NEVER / 4 / MS ? ms * MS : 0;
}

void il_tend_look(struct il_redis_lock *h, const struct il_request *r, int64_t ms)
{
	int64_t time = il_tend_time(il_reply_number(r, 1));
	h->behind = time ? r->sent_at - time : 0;
	if (ms >= 0)
		h->look_at = il_now() + il_tend_time(ms) + MARGIN;
	il_tend_arm(h);
}

/* When ---------------------------------------------------------------------------------------------------- */

static bool wanted(const struct il_redis_lock *h)
{
	return !h->removed && (!il_list_empty(&h->line) || !il_list_empty(&h->held));
}

int il_tend_arm(struct il_redis_lock *h)
{
	int64_t now = il_now(), due = h->tended + h->lease / 3;
	if (!wanted(h))
		return 0;
	if (!il_list_empty(&h->line) && h->look_at < due)
		due = h->look_at;
	if (h->timer.item.place && h->due <= due)
		return 0;
	h->due = due;
	il_timer_start(&h->timer, due > now ? due - now : 0);
	return il_timer_arm(&h->timer, false);
}

/* One that waits for a connection is enough; one that has been written may have to be followed, while nobody reads the
 * answers. */
void il_tend_expired(struct il_timer *t)
{
	struct il_redis_lock *h = il_container_of(t, struct il_redis_lock, timer);
	int64_t now = il_now();
	bool due = now >= h->tended + h->lease / 3 || (!il_list_empty(&h->line) && now >= h->look_at);
	if (wanted(h) && due && !(h->last_tend && !h->last_tend->sent)) {
		tend(h);
		il_server_flush(h->face.server);
	} else if (due) {
		h->tended = now;
		h->look_at = IL_NEVER;
	}
	il_tend_arm(h);
}

void il_tend_forget(struct il_redis_lock *h)
{
	while (!il_list_empty(&h->tends))
		il_request_forget(il_container_of(h->tends.next, struct il_request, mine));
}
