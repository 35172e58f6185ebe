/* SPDX-License-Identifier: MIT
 *
 * After a process that died in the middle of a change, or damaged the segment.
 * Floor 2: no lua.h.
 */
#ifndef IL_SHM_BLOCKS_RECOVER_H
#define IL_SHM_BLOCKS_RECOVER_H

#include "engines/shm/blocks.h"

/* Makes everything anew from the messages. 0 or EUCLEAN. */
int il_blocks_recover(const struct il_blocks *v);

#endif
