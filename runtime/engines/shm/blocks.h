/* SPDX-License-Identifier: MIT
 *
 * The messages of a queue in its segment. The area is blocks of 64 bytes in extents; an extent is free, the first of a
 * message, or one more of it. Beside it is the order: a ring of places, each of which names a message's first block, or
 * is empty. A message's record says its place. So all is found again by walking over the extents, when a process died
 * half-way: what else there is, the order and the sums, is made anew. One store makes a message, and one takes it away.
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
	uint64_t received; /* messages */
	uint64_t bytes; /* of them */
	uint64_t first; /* place: no message is before it, whatever its record says */
	uint64_t sent_seen; /* il_shm_sending.sent */
	uint32_t given; /* blocks that were given back */
	uint32_t last_receiver; /* pid */
};

/* The process's view of it. */
struct il_blocks {
	struct il_shm_sending *sending;
	struct il_shm_receiving *receiving;
	uint32_t *order;
	char *blocks;
	uint32_t places; /* of the order: a power of two */
	uint32_t count; /* of blocks */
};

struct il_message {
	uint32_t block, length; /* its first extent */
	uint32_t size;
	int64_t type;
	uint64_t place;
};

/* Blocks enough for messages of `size` bytes together, if each has no less than a block's; and how many places go with
 * so many blocks. */
uint32_t il_blocks_for(size_t size);
uint32_t il_blocks_places(uint32_t blocks);

/* An area that is all zero becomes one free extent. */
void il_blocks_init(const struct il_blocks *v);

/* For senders. Writes a message into free blocks; no process sees it yet. EAGAIN: no room; EUCLEAN: damaged; ENOBUFS:
 * the order has to be packed, see order.h. */
int il_blocks_write(const struct il_blocks *v, int64_t type, const void *data, size_t size, uint32_t *block);

/* For senders. Makes it the last message. */
void il_blocks_commit(const struct il_blocks *v, uint32_t block);

/* For receivers. Copies the bytes of a message that was found. 0 or EUCLEAN. */
int il_blocks_read(const struct il_blocks *v, const struct il_message *m, void *data);

/* For receivers. Takes it away. */
void il_blocks_take(const struct il_blocks *v, const struct il_message *m);

#endif
