/* SPDX-License-Identifier: MIT
 *
 * Child processes that run another program. What is to become its descriptors 0, 1 and 2 is collected first, then it is
 * started; it gets those three and no other, an empty signal mask, and default dispositions.
 * Floor 1b: no lua.h.
 */
#ifndef IL_OS_SPAWN_H
#define IL_OS_SPAWN_H

#include "os/process.h"

struct il_program {
	char *const *argv;
	char *const *envp; /* NULL: as ours */
	const char *cwd; /* NULL: as ours */
	bool with_parent; /* it is killed when this process ends, however that is */
	bool merge; /* its 2 is what its 1 is */
	int fds[3]; /* copies of ours, all above 2, so that none is in another's place; -1: as ours */
};

/* Nothing given: all is as ours. */
void il_program_init(struct il_program *g);

/* Its descriptor `which` is one end of a new pipe; *ours is the other, which does not wait. 0 or errno. */
int il_program_pipe(struct il_program *g, int which, int *ours);

/* ... is /dev/null. */
int il_program_null(struct il_program *g, int which);

/* ... is a copy of ours. `channel`: one of our streams, which do not wait, while a program expects to. */
int il_program_lend(struct il_program *g, int which, int fd, bool channel);

/* Starts it: 0 or errno, which is that of execve(2) or chdir(2), too. argv[0] without a slash is looked for in our
 * PATH. */
int il_process_spawn(struct il_process *p, const struct il_program *g);

/* Closes the copies; to be called once it is started, or is not. */
void il_program_fini(struct il_program *g);

#endif
