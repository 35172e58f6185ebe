/* SPDX-License-Identifier: MIT
 *
 * A hub that listens at a path, by which other processes join.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_HUB_LISTEN_H
#define IL_STREAM_HUB_LISTEN_H

#include "stream/hub.h"

#include <stdint.h>

/* Lets other processes join at a path. 0 or errno: EADDRINUSE, another process listens there; ENAMETOOLONG. */
int il_hub_listen(struct il_hub *h, const char *path, unsigned mode);

/* Joins: *s is the stream. 0 or errno. */
int il_hub_connect(struct il_stream **s, const char *path, const struct il_stream_options *o);

/* There was no descriptor for a client: tries again after a while (ns). */
void il_hub_accept_after(struct il_hub *h, int64_t ns);

#endif
