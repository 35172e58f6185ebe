/* SPDX-License-Identifier: MIT
 *
 * What errno means, in words for a user.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_REASON_H
#define IL_BASE_REASON_H

#include <stdbool.h>

/* As strerror says it; of a limit that can be raised, with its name. */
const char *il_reason(int err);

/* There is no descriptor, or no memory, at present: the same call may succeed when something has been closed. */
bool il_is_shortage(int err);

#endif
