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

/* Is this line to wait with the crowd? */
bool il_msg_crowd_wanted(const struct il_msg_waiters *w);

/* The line waits with the crowd from now on: il_msg_look is called when a message may be there. 0; or errno, and it
 * does not wait. The line is to be looked at after this. */
int il_msg_crowd_join(struct il_msg_waiters *w);

/* The line has no operation any more; harmless if it does not wait with the crowd. */
void il_msg_crowd_leave(struct il_msg_waiters *w);

#endif
