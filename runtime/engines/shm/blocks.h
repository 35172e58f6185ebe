/* SPDX-License-Identifier: MIT
 *
 * The messages of a queue in its segment. The area is blocks of 64 bytes in extents; an extent is free, the first of a
 * message, or one more of it. All is found again by walking over the extents: what else there is, the order of the
 * messages and the sums, is made anew when a process died half-way. One store makes a message, and one takes it away.
 * Floor 2.
 */
#ifndef IL_SHM_BLOCKS_H
#define IL_SHM_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum { IL_BLOCK = 64, IL_NO_BLOCK = 0xffffffff };

/* What is shared, in front of the blocks. */
struct il_shm_blocks {
	uint32_t first, last; /* of the messages in their order: blocks, or IL_NO_BLOCK */
	uint32_t rover; /* where the next one is looked for */
	uint32_t unused; /* free blocks */
	uint64_t messages, bytes;
	uint64_t sequence; /* of the last message */
};

/* The process's view of it. */
struct il_blocks {
	struct il_shm_blocks *shared;
	char *blocks;
	uint32_t count; /* of blocks */
};

struct il_message {
	uint32_t block;
	int64_t type;
	uint32_t size;
};

/* Blocks enough for messages of `size` bytes together, if each has no less than a block's. */
uint32_t il_blocks_for(size_t size);

/* An area that is all zero becomes one free extent. */
void il_blocks_init(const struct il_blocks *v);

/* Writes a message into free blocks; no process sees it yet. EAGAIN: no room; EUCLEAN: damaged. */
int il_blocks_write(const struct il_blocks *v, int64_t type, const void *data, size_t size, uint32_t *block);

/* Makes it the last message. */
void il_blocks_commit(const struct il_blocks *v, uint32_t block);

/* The message that receive takes: type 0 the first, n the first of type n, -n the first of the lowest type up to n.
 * EAGAIN: there is none; EUCLEAN: damaged. */
int il_blocks_find(const struct il_blocks *v, int64_t wanted, struct il_message *m);

/* Copies the bytes of a message that was found. 0 or EUCLEAN. */
int il_blocks_read(const struct il_blocks *v, const struct il_message *m, void *data);

/* Takes it away. 0 or EUCLEAN. */
int il_blocks_take(const struct il_blocks *v, const struct il_message *m);

#endif
