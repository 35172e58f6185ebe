/* SPDX-License-Identifier: MIT
 *
 * Messages over a descriptor, see stream.h: how a stream ends. One that is closed with unsent bytes stays until they
 * are out. The end of the program waits for what is unsent, but not for ever: what should read may have stopped, or be
 * this program. Floor 1c.
 */
#include "stream/stream_end.h"
#include "base/clock.h"
#include "base/fork.h"
#include "loop/epoll.h"
#include "loop/timer.h"
#include "stream/gathered.h"
#include "stream/state.h"
#include "stream/stream.h"
#include "stream/stream_send.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* ns: how long the end of the program waits without a byte being taken */
static const int64_t PATIENCE = 5000000000;

void il_stream_close(struct il_stream *s)
{
	if (!s)
		return;
	s->called = NULL;
	il_op_finish_all(&s->receivers, ECONNRESET);
	il_op_finish_all(&s->senders, ECONNRESET);
	s->closed = il_stream_flush(s) == EAGAIN;
	if (!s->closed)
		il_stream_abandon(s);
}

bool il_stream_sent(struct il_stream *s, size_t unsent)
{
	if (s->out.bytes < unsent)
		il_streams()->since = il_now();
	if (!s->closed || !il_list_empty(&s->out.queue))
		return false;
	il_stream_abandon(s);
	return true;
}

/* What was dropped, or failed, is not to be sent any more. */
static bool any_unsent(void)
{
	il_list_each_safe(struct il_stream, s, &il_streams()->unsent, unsent) {
		if (!il_list_empty(&s->out.queue))
			return true;
		il_list_del(&s->unsent);
	}
	return false;
}

static void wait_no_more(void)
{
	il_timer_disarm(&il_streams()->patience);
	il_streams()->waiting = false;
}

static bool wait_on(void)
{
	int64_t now = il_now();
	if (!il_streams()->waiting)
		il_streams()->since = now;
	il_streams()->waiting = true;
	if (now - il_streams()->since >= PATIENCE)
		return false;
	il_timer_start(&il_streams()->patience, il_streams()->since + PATIENCE - now);
	return il_timer_arm(&il_streams()->patience, false) == 0;
}

bool il_streams_unsent(bool nothing_else)
{
	if (nothing_else)
		il_gathered_flush();
	if (nothing_else && any_unsent())
		return wait_on();
	if (il_streams()->waiting)
		wait_no_more();
	return false;
}

void il_stream_abandon(struct il_stream *s)
{
	if (!s)
		return;
	il_list_del(&s->unsent);
	il_list_del(&s->gathered);
	il_io_unwatch(&s->io);
	il_transport_close(&s->transport);
	il_frame_reader_fini(&s->in);
	il_write_queue_fini(&s->out);
	free(s);
}

static struct il_fork_hook fork_hook = { .order = IL_FORK_WATCHES, .anew = il_streams_drop };

void il_streams_add_unsent(struct il_stream *s)
{
	il_list_add(&il_streams()->unsent, &s->unsent);
	il_fork_add(&fork_hook);
}

/* Where that was written before the fork, none is left; and with what is whole a child can go on. */
static void drop_gathered(void)
{
	il_list_drain(struct il_stream, s, &il_streams()->gathered, gathered)
		il_write_queue_fini(&s->out);
}

void il_streams_drop(void)
{
	il_list_drain(struct il_stream, s, &il_streams()->unsent, unsent) {
		il_write_queue_fini(&s->out);
		s->finished = true;
		if (s->closed)
			il_stream_abandon(s);
	}
	drop_gathered();
	wait_no_more();
}
