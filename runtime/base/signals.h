/* SPDX-License-Identifier: MIT
 *
 * The real-time signals that the runtime keeps for itself.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_SIGNALS_H
#define IL_BASE_SIGNALS_H

#include <signal.h>

#define IL_SIGNAL_TIMER (SIGRTMAX - 1) /* a timer is due while Lua is busy */
#define IL_SIGNAL_POOL (SIGRTMAX - 2) /* interrupts the system call of a thread */

#endif
