/* SPDX-License-Identifier: MIT
 *
 * SIGQUIT in the host: the program tells what it waits for, and goes on.
 * Floor 4.
 */
#ifndef IL_QUIT_H
#define IL_QUIT_H

/* From now on SIGQUIT is answered, unless the program is not the host's, or the signal is not as it is by default. In a
 * child that begins anew: again. */
void il_quit_open(void);

/* The program wants this signal for itself. */
void il_quit_leave(int number);

#endif
