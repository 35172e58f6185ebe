/* SPDX-License-Identifier: MIT
 *
 * What an answer means. Nothing a server says is believed: types and sizes are checked. Floor 2.
 */
#ifndef IL_REDIS_REPLY_H
#define IL_REDIS_REPLY_H

#include "engines/redis/client/resp.h"

/* The errno of an answer that is an error, and its text without what only the server understands. *passes, or NULL: was
 * nothing done, and may the same command succeed at another time, or at another node? */
int il_error_of(const struct il_reply *r, char *text, size_t size, bool *passes);

#endif
