/* SPDX-License-Identifier: MIT
 *
 * What errno means, in words for a user.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_REASON_H
#define IL_BASE_REASON_H

/* As strerror says it; of a limit that can be raised, with its name. */
const char *il_reason(int err);

#endif
