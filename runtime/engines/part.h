/* SPDX-License-Identifier: MIT
 *
 * The engines' parts of a runtime's state (loop/state.h). Each engine has a struct of its own for its part, in its
 * state.h; at first it is all zero.
 * Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_PART_H
#define IL_ENGINES_PART_H

#include "loop/state.h"

enum il_part { IL_PART_SYSV, IL_PART_SHM, IL_PART_STORE, IL_PART_REDIS, IL_PART_DISK };

static inline void *il_part(enum il_part part)
{
	return il_loop->parts[part];
}

#endif
