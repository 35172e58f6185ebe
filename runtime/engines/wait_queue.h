/* SPDX-License-Identifier: MIT
 *
 * The operations of this process that wait for something in shared memory, in the order they came. With it goes a count
 * of changes, which is raised under the lock that changes are made with. While the loop is awake they look when the
 * count has gone up; when it blocks, the count is slept on as a futex. Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_WAIT_QUEUE_H
#define IL_ENGINES_WAIT_QUEUE_H

#include "engines/wait_index.h"
#include "loop/futex.h"
#include "loop/op.h"
#include "loop/poller.h"
#include "loop/recheck.h"

enum { IL_RECENT = 64 };

struct il_wait_queue {
	struct il_list ops;
	struct il_poller poller;
	struct il_futex word;
	const struct il_wait_queue_type *type;
	void *object; /* what they wait for: the type's business */
	uint32_t *changes; /* shared: the count */
	uint32_t *parked; /* shared: bits of the queues that sleep on it */
	const volatile bool *lost; /* what is mapped is no longer shared */
	uint32_t seen; /* the count up to which all have looked */
	int count; /* operations */
	int fresh; /* the last ones, which have not looked with the lock */
	bool behind; /* all are to look, whatever has changed */
	bool indexed; /* they are in the index, but for those that several keys serve: */
	int wild;
	struct il_wait_index index;
	uint64_t *
		recent; /* shared: the keys of the last changes, each at its number modulo IL_RECENT. NULL: not known */
	uint64_t own; /* the key of a change that this process has made, */
	uint32_t own_change; /* and its number */
	uint64_t wants; /* keys, as in waiters.h: of all operations since there was none */
	uint32_t *sleeps_on; /* the count, or the word that `note` has told */
	uint32_t expected; /* as long as it has this value */
	struct il_recheck later; /* they look again, since the lock could not be had */
	bool late;
};

struct il_wait_queue_type {
	uint32_t parked; /* the bit of such a queue */
	bool strict; /* no operation is served before the first */
	uint64_t (*key)(const struct il_op *op); /* of what it waits for, 63 bits; or NULL */
	bool (*wild)(const struct il_op *op); /* changes of several keys may serve it. NULL: of its own alone */
	uint32_t away; /* of the word that `note` returns: see struct il_futex */
	bool alike; /* operations that want the same message.type get the same answer, if it is "not now" */
	/* Takes the lock. 0; EAGAIN: it cannot be had now, and is tried again after a while; or the errno with which
	 * all waits end. With an error it is not had. It must not block for longer than some milliseconds. */
	int (*enter)(struct il_wait_queue *waits);
	void (*leave)(struct il_wait_queue *waits);
	/* With the lock: EAGAIN, or how the operation has ended. `waiting`: what it gets must be its own. */
	int (*attempt)(struct il_wait_queue *waits, struct il_op *op, bool waiting);
	/* With the lock, after each round: writes down that this process waits, or that it does not any more.
	 * `served`: an operation was. With `park` it is about to sleep: on the word that is returned, as long as that
	 * is *expected, or, with NULL, on the count of changes. Or NULL. */
	uint32_t *(*note)(struct il_wait_queue *waits, bool served, bool park, uint32_t *expected);
	/* Without it, before the loop blocks: watches what else may end the wait. 0; EAGAIN: look again; or the errno
	 * with which all waits end. Or NULL. */
	int (*park)(struct il_wait_queue *waits);
	/* No operation waits any more. Or NULL. */
	void (*unpark)(struct il_wait_queue *waits);
	/* Called after operations completed, so that opposite ones (send after receive) are tried. Or NULL. */
	void (*served)(struct il_wait_queue *waits);
};

/* With type, object and the shared words filled in; without `lost`, that cannot happen. */
void il_wait_queue_init(struct il_wait_queue *waits);
void il_wait_queue_fini(struct il_wait_queue *waits);

/* For start and cancel of an operation type. An attempt is the engine's own. */
void il_wait_queue_start(struct il_wait_queue *waits, struct il_op *op);
void il_wait_queue_cancel(struct il_wait_queue *waits, struct il_op *op);

/* With the lock, after the count was raised: this process has changed what has that key. */
static inline void il_wait_queue_note_change(struct il_wait_queue *waits, uint64_t key)
{
	waits->own = key;
	waits->own_change = *waits->changes;
}

/* Something has changed in this process, or may have. True: a wait has ended. */
bool il_wait_queue_retry(struct il_wait_queue *waits);

/* The same; and the operations that still wait are parked again, as if they had just come. */
void il_wait_queue_restart(struct il_wait_queue *waits);

/* Ends the waits of one source with ECANCELED. */
void il_wait_queue_close(struct il_wait_queue *waits, const void *source);

int il_wait_queue_count(const struct il_wait_queue *waits);

#endif
