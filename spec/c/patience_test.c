/* SPDX-License-Identifier: MIT
 *
 * How long one waits for a process that has something locked for a moment, by a clock of our own: until it has stood
 * still for five seconds, and a minute if it moves.
 */
#include "os/identity.h"
#include "os/patience.c"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
	int64_t now;
	uint64_t ran;
} world;

int64_t il_now(void)
{
	return world.now;
}

uint64_t il_identity_ran(pid_t pid)
{
	CHECK(pid == 7);
	return world.ran;
}

static bool left_after(struct il_patience *p, uint64_t turn, int64_t seconds)
{
	world.now += seconds * IL_SECOND;
	return il_patience_left(p, turn, 7);
}

static void stands_still(void)
{
	struct il_patience p = { 0 };
	CHECK(left_after(&p, 1, 0) && p.moves);
	CHECK(left_after(&p, 1, 3) && !p.moves);
	CHECK(!left_after(&p, 1, 2) && !p.moves);
	CHECK(!left_after(&p, 1, 0)); /* it is waited for once */
	world.ran++;
	CHECK(left_after(&p, 1, 9) && p.moves);
	CHECK(!left_after(&p, 1, 5));
}

static void passes_on(void)
{
	struct il_patience p = { 0 };
	for (uint64_t turn = 1; turn < 40; turn++)
		CHECK(left_after(&p, turn, 4) && p.moves);
	il_patience_renew(&p);
	CHECK(left_after(&p, 39, 4) && p.moves);
	CHECK(!left_after(&p, 39, 5));
}

static void runs(void)
{
	struct il_patience p = { 0 };
	for (int i = 0; i < 15; i++) {
		world.ran++;
		CHECK(left_after(&p, 1, 4));
	}
	world.ran++;
	CHECK(!left_after(&p, 1, 4)); /* a minute is enough for anything */
	CHECK(left_after(&p, 2, 0));
}

int main(void)
{
	world.now = 1000 * IL_SECOND;
	stands_still();
	passes_on();
	runs();
	puts("ok");
	return 0;
}
