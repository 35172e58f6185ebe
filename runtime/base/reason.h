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

/* Why the call that has just failed did, where errno does not tell: notes the text, and returns err. il_why is that
 * text, if it was for this errno, or NULL; err 0 forgets it. As of errno, each thread has its own. */
int il_because(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *il_why(int err);

#endif
