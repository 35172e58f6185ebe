/* SPDX-License-Identifier: MIT
 *
 * The clients of a hub by their number, so that a message to one of many costs what it costs to the only one.
 * Floor 1c: no lua.h.
 */
#ifndef IL_STREAM_CLIENT_TABLE_H
#define IL_STREAM_CLIENT_TABLE_H

#include "stream/hub.h"

#include <stdbool.h>
#include <stdint.h>

/* Makes sure of a place for one more client. False: no memory. */
bool il_client_table_prepare(struct il_hub *h);

/* After that: a new client with its id. Cannot fail. */
void il_client_table_add(struct il_hub *h, struct il_client *c);
void il_client_table_del(struct il_hub *h, struct il_client *c);

/* NULL: there is none of that id, or not any more. */
struct il_client *il_client_table_find(const struct il_hub *h, int64_t id);

/* Of a hub without clients. */
void il_client_table_fini(struct il_hub *h);

#endif
