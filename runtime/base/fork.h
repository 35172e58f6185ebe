/* SPDX-License-Identifier: MIT
 *
 * Forks. What a process has made belongs to its generation: in a forked child the number is another one, whatever the
 * child's pid is. A module that has more to do in a child adds a hook, when it first has something that the child must
 * not use.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_FORK_H
#define IL_BASE_FORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Hidden, and said so here: then it is reached directly, not through the table of addresses. */
extern struct il_fork {
	pid_t pid; /* this process */
	uint32_t generation; /* 1, and one more in each child, child's child and so on */
	uint32_t beginnings; /* the calls of il_fork_begin_anew among these */
} il_fork __attribute__((visibility("hidden")));

/* The order in which hooks are called in a child that begins anew. */
enum il_fork_order {
	IL_FORK_REMOTE, /* connections: first, or the waits that end would tell the parent's servers so */
	IL_FORK_SIGNALS,
	IL_FORK_TASKS, /* these end the waits */
	IL_FORK_WATCHES, /* what is in the loop: streams, watches on processes, futexes, threads */
	IL_FORK_LOOP,
	IL_FORK_CHILDREN, /* processes of the parent; these call code of a class */
};

struct il_fork_hook {
	enum il_fork_order order;
	void (*before)(void); /* in the parent, before the fork; or NULL, as each of these */
	void (*parent)(void); /* in the parent, after it */
	void (*child)(void); /* in every child, inside of fork(): stores into memory, and no more */
	void (*anew)(void); /* in a child that begins anew: lets go of what is the parent's */
	bool added;
	struct il_fork_hook *next;
};

/* To be called before anything else of the runtime; the second time it does nothing. */
void il_fork_init(void);

/* From now on the hook is called; harmless if it is so already. It stays for good. */
void il_fork_add(struct il_fork_hook *hook);

/* In a child that goes on with the runtime and takes no waits, watches or connections along: calls every `anew`. A
 * child that only goes on with Lua, since another library has forked, does not call this. */
void il_fork_begin_anew(void);

static inline bool il_fork_is_own(uint32_t generation)
{
	return generation == il_fork.generation;
}

#endif
