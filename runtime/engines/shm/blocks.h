/* SPDX-License-Identifier: MIT
 *
 * The messages of a queue in its segment. The area is blocks of 64 bytes in extents; an extent is free, the first of a
 * message, or one more of it. Beside it is the order: a ring of places, each of which names a message's first block, or
 * is empty. A message's record says its place, and what it is: ready, or a job that is taken, delayed or dead (jobs.h).
 * So all is found again by walking over the extents, when a process died half-way: what else there is, the order, the
 * sums, and where jobs are kept, is made anew. One store makes a message, and one takes it away.
 *
 * Senders and receivers change different things, and exclude only each other among themselves, each with a latch of
 * their own. What passes from one to the other: a message, when `sent` counts it; and its room, when `first` has passed
 * it, or when the state of its first extent says that it is free. Floor 2.
 */
#ifndef IL_SHM_BLOCKS_H
#define IL_SHM_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { IL_BLOCK = 64, IL_NO_BLOCK = 0xffffffff };

/* What senders change. Counts go up for ever; what receivers count is looked up only when there is no room left. */
struct il_shm_sending {
	uint64_t sent; /* messages: the next one's place, and with this store it is there */
	uint64_t bytes; /* of them */
	uint64_t bytes_seen, first_seen; /* il_shm_receiving.bytes and .first */
	uint32_t used, given_seen; /* blocks that were used; il_shm_receiving.given */
	uint32_t rover; /* where the next free extent is looked for */
	uint32_t last_sender; /* pid */
};

/* What receivers change. */
struct il_shm_receiving {
	uint64_t received; /* messages that have left the order */
	uint64_t bytes; /* of them */
	uint64_t first; /* place: no message is before it, whatever its record says */
	uint64_t sent_seen; /* il_shm_sending.sent */
	uint32_t given; /* blocks that were given back */
	uint32_t last_receiver; /* pid */
	uint32_t others; /* messages that are not in the order: ready again, taken, delayed */
	uint32_t unused;
};

/* What there is of jobs; changed with the receivers' latch. */
struct il_shm_jobs {
	uint64_t deliveries; /* the last token that was given */
	int64_t due; /* when the first of the delayed ones is due; 0: there is none */
	uint32_t again, dead; /* the roots of two trees (job_tree.h) */
	uint32_t ready, delayed, taken, letters; /* how many are ready again, and so on */
	uint32_t deaths; /* the number of the last dead letter */
	uint32_t holders; /* slots from here on have never been used */
};

/* A process that takes jobs. */
struct il_shm_holder {
	uint32_t pid; /* 0: the slot is free */
	uint32_t unused;
	uint64_t start;
};

/* The process's view of it. */
struct il_blocks {
	struct il_shm_sending *sending;
	struct il_shm_receiving *receiving;
	uint32_t *order;
	char *blocks;
	uint32_t places; /* of the order: a power of two */
	uint32_t count; /* of blocks */
	struct il_shm_jobs *jobs;
	struct il_shm_holder *holders;
	uint32_t *index; /* `count` blocks: the delayed ones from the beginning, the taken ones from the end */
	uint32_t *ids; /* 1 + a block, or 0 */
	uint32_t slots; /* of holders */
	uint32_t id_slots; /* of ids */
};

struct il_message {
	uint32_t block, length; /* its first extent */
	uint32_t size; /* of the text */
	uint32_t front; /* bytes before it */
	int64_t type;
	uint64_t place;
	uint64_t state;
};

/* Blocks enough for messages of `size` bytes together, if each has no less than a block's; and how many places, slots
 * of holders, and of ids go with so many blocks. */
uint32_t il_blocks_for(size_t size);
uint32_t il_blocks_places(uint32_t blocks);
uint32_t il_blocks_slots(uint32_t blocks);
uint32_t il_blocks_id_slots(uint32_t blocks);

/* An area that is all zero becomes one free extent. */
void il_blocks_init(const struct il_blocks *v);

/* For senders. Writes a message into free blocks; no process sees it yet. EAGAIN: no room; EUCLEAN: damaged; ENOBUFS:
 * the order has to be packed, see order.h. */
int il_blocks_write(const struct il_blocks *v, int64_t type, const void *data, size_t size, uint32_t *block);

/* The same, and the bytes are still to be written (il_blocks_store); before them there is room for a front. */
int il_blocks_reserve(const struct il_blocks *v, int64_t type, size_t front, size_t size, uint32_t *block);

/* For senders. Makes it the last message. */
void il_blocks_commit(const struct il_blocks *v, uint32_t block);

/* For senders. Many messages, as engines/payloads.h has them: both at once for the first ones, `most` of them, as long
 * as they have `room` bytes and nothing has to be looked for. How many bytes of `messages` were sent. */
size_t il_blocks_append(const struct il_blocks *v, const void *messages, size_t size, uint32_t *most, uint64_t room);

/* For receivers. Copies the text of a message that was found. 0 or EUCLEAN. */
int il_blocks_read(const struct il_blocks *v, const struct il_message *m, void *data);

/* For receivers. Takes it away: one of the order. */
void il_blocks_take(const struct il_blocks *v, const struct il_message *m);

/* For receivers. So many, of so many blocks, were taken away by `first`, which has passed them. */
void il_blocks_passed(const struct il_blocks *v, uint32_t messages, uint64_t bytes, uint32_t blocks);

/* For receivers. It leaves the order, and its record says already what else it is. */
void il_blocks_leave_order(const struct il_blocks *v, const struct il_message *m);

/* For receivers. Takes away one that is not in the order. */
void il_blocks_free(const struct il_blocks *v, const struct il_message *m);

/* Bytes of a message's extents, counted from the front. 0 or EUCLEAN. */
int il_blocks_load(const struct il_blocks *v, uint32_t block, size_t at, void *data, size_t size);
int il_blocks_store(const struct il_blocks *v, uint32_t block, size_t at, const void *data, size_t size);

/* With both latches: sees to it that a message's extents have room for so many bytes, if there are free blocks. How
 * many they have room for then. */
size_t il_blocks_extend(const struct il_blocks *v, uint32_t block, size_t wanted);

#endif
