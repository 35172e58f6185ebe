/* SPDX-License-Identifier: MIT
 *
 * ipc.Process for its two files: process.c has the class and the forked ones, program.c starts programs.
 * Floor 4.
 */
#ifndef IL_PROCESS_H
#define IL_PROCESS_H

#include "os/process.h"
#include "sched/object.h"
#include "stream_channel.h"

#include <lua.h>

/* The first three are the numbers of the program's descriptors. */
enum { IL_CHILD_STDIN, IL_CHILD_STDOUT, IL_CHILD_STDERR, IL_CHILD_CHANNEL, IL_CHILD_CHANNELS };

struct il_child {
	struct il_object object;
	struct il_process p;
	struct il_channel *channels[IL_CHILD_CHANNELS]; /* the user values, or NULL */
	int ref; /* kept until it has ended, so that it is reaped */
	bool inherited; /* made by a parent of this process: inert */
};

/* Pushes an inert one. Raises. */
struct il_child *il_child_push(lua_State *L);

/* Gives the one at the top a channel with the options of the table at `options`, without a stream yet. Raises. */
struct il_channel *il_child_channel(lua_State *L, struct il_child *c, int which, int options);

/* The child has been made, and its handle is at the top: the end of ipc.process. If an interrupt has come meanwhile,
 * the child is ended, and it raises. */
int il_child_started(lua_State *L, struct il_child *c);

#endif
