/* SPDX-License-Identifier: MIT
 *
 * The part of a runtime's state (loop/state.h) that is about streams.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_STATE_H
#define IL_STREAM_STATE_H

#include "base/list.h"
#include "loop/state.h"
#include "loop/timer.h"
#include "os/state.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct il_streams {
	struct il_os os;
	struct il_list hubs; /* of struct il_hub, that listen or have clients */
	struct il_list unsent; /* of struct il_stream, that may still have to flush */

	/* gathered.c: */
	struct il_list gathered; /* of struct il_stream, in which something waits to be written */
	pthread_t thread; /* that has written into the list */

	/* stream_end.c: */
	struct il_timer patience; /* wakes the loop, so that it is asked again */
	int64_t since; /* it waits, or since the last byte was taken */
	bool waiting; /* the program has nothing left to do but to send what is unsent */
};

static inline struct il_streams *il_streams(void)
{
	return (struct il_streams *)(void *)il_loop;
}

/* To be called before anything else of the floor; the second time it does nothing. */
void il_streams_init(void);

#endif
