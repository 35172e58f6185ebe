/* SPDX-License-Identifier: MIT
 *
 * Operations that wait for so many types of messages that not each type can have a thread.
 * Floor 2: no lua.h.
 */
#ifndef IL_SYSV_QUEUE_CROWD_H
#define IL_SYSV_QUEUE_CROWD_H

#include "engines/sysv/queue.h"

void il_msg_crowd_init(struct il_msg_object *o);
void il_msg_crowd_fini(struct il_msg_object *o);

/* Are these receivers to wait with the crowd? */
bool il_msg_crowd_wanted(const struct il_msg_waiters *w);

/* They wait with the crowd from now on: il_msg_retry is called when a message may be there. 0; or errno, and it
 * does not wait. They are to be tried after this. */
int il_msg_crowd_join(struct il_msg_waiters *w);

/* There is no operation any more; harmless if they do not wait with the crowd. */
void il_msg_crowd_leave(struct il_msg_waiters *w);

#endif
