/* SPDX-License-Identifier: MIT
 *
 * The part of a runtime's state (loop/state.h) that is about processes.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_STATE_H
#define IL_OS_STATE_H

#include "base/list.h"
#include "loop/state.h"

struct il_process;

struct il_os {
	struct il_loop loop;
	struct il_list children; /* of struct il_process, that have not ended */
	struct il_list watches; /* of struct il_process_watch */
	void (*inherited)(struct il_process *p); /* see il_processes_init */
};

static inline struct il_os *il_os(void)
{
	return (struct il_os *)(void *)il_loop;
}

/* To be called before anything else of the floor; the second time it does nothing. */
void il_os_init(void);

#endif
