/* SPDX-License-Identifier: MIT
 *
 * The program as process 1 of a container. A process that loses its parent becomes a child of process 1, and stays a
 * zombie until that has reaped it. Which of its children were adopted a process cannot tell; to reap one that the
 * program has started, by io.popen for example, would be to steal its exit status. So the program is a child, and
 * process 1 reaps. Floor 5.
 */
#ifndef IL_REAPER_H
#define IL_REAPER_H

/* Returns in the program. As process 1 that is a child from here on; what others send to process 1 it gets, and with
 * its end, and its status, process 1 ends. */
void il_reaper_start(void);

#endif
