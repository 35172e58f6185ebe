/* SPDX-License-Identifier: MIT
 *
 * The handle of ipc.Queue, see queue_handle.h. Floor 4.
 */
#include "queue_handle.h"
#include "sched/park.h"
#include "key_object.h"

#include <errno.h>

const char il_queue_class[] = "ipc.Queue";

int il_queue_fail(lua_State *L, const struct il_queue_handle *q, int err)
{
	return il_shared_fail(L, q->queue ? err : ECANCELED, q->queue, "queue", q->what);
}

void il_queue_describe(const void *handle, struct il_described *d)
{
	const struct il_queue_handle *q = handle;
	*d = (struct il_described){ .key = q->what, .object = q->identity };
}
