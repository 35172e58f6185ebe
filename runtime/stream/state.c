/* SPDX-License-Identifier: MIT
 *
 * The state of the floor, see state.h. Floor 1c.
 */
#include "stream/state.h"
#include "os/state.h"

static void expired(struct il_timer *t)
{
	(void)t;
}

void il_streams_init(void)
{
	struct il_streams *s = il_streams();
	il_os_init();
	if (s->hubs.next)
		return;
	il_list_init(&s->hubs);
	il_list_init(&s->unsent);
	il_list_init(&s->gathered);
	s->patience.expired = expired;
}
