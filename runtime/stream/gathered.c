/* SPDX-License-Identifier: MIT
 *
 * The streams in which messages are gathered, see gathered.h. What is in memory at a fork would be sent twice, and what
 * is there at an exit would be lost: so both write it before. Another thread may do either, at any moment; it must not
 * touch the streams. Floor 1c.
 */
#include "stream/gathered.h"
#include "base/fork.h"
#include "loop/wake.h"
#include "stream/stream_end.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

static void flush_here(void)
{
	if (!il_list_empty(&il_streams()->gathered) && pthread_equal(pthread_self(), il_streams()->thread))
		il_gathered_flush_all();
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .before = flush_here };

/* A loop around ours has to have it make a step, or what is sent outside of one would stay. */
void il_gathered_add(struct il_stream *s)
{
	static bool known; /* to the end of the program */
	if (!il_list_empty(&s->gathered))
		return;
	il_list_add(&il_streams()->gathered, &s->gathered);
	il_streams()->thread = pthread_self();
	il_loop_wake_outer();
	il_fork_add(&fork_hook);
	known = known || atexit(flush_here) == 0;
}

void il_gathered_flush_all(void)
{
	struct il_list round; /* one whose descriptor cannot be watched comes into the list again */
	il_list_move(&il_streams()->gathered, &round);
	il_list_drain(struct il_stream, s, &round, gathered)
		if (il_stream_flush(s) != EAGAIN && s->closed)
			il_stream_abandon(s);
}
