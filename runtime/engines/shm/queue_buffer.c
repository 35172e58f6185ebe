/* SPDX-License-Identifier: MIT
 *
 * Copies of messages, see queue_buffer.h. Floor 2.
 */
#include "engines/shm/queue_buffer.h"

#include <errno.h>
#include <stdlib.h>

/* Where the bytes of a message begin in a block, and those of a string in Lua, counted from a multiple of 16: copying
 * is half as fast again if both begin alike. */
enum { ALIKE = 8 };

/* The message that was received last without a wait, from ALIKE on. */
static struct {
	char *text;
	size_t room;
	int users; /* handles */
} buffer;

static int reserve(size_t size)
{
	if (buffer.text && buffer.room >= size)
		return 0;
	char *text = realloc(buffer.text, ALIKE + size);
	if (!text)
		return ENOMEM;
	buffer.text = text;
	buffer.room = size;
	return 0;
}

void il_shm_queue_buffer_open(void)
{
	buffer.users++;
}

void il_shm_queue_buffer_close(void)
{
	if (--buffer.users)
		return;
	free(buffer.text);
	buffer.text = NULL;
	buffer.room = 0;
}

int il_shm_queue_copy_out(struct il_shm_queue *o, const struct il_message *m, struct il_op *op, bool own)
{
	own = own && m->size;
	if (!own && reserve(m->size))
		return ENOMEM;
	char *text = own ? malloc(m->size) : buffer.text + ALIKE;
	int err = text ? il_blocks_read(&o->blocks, m, text) : ENOMEM;
	if (err) {
		if (own)
			free(text);
		return err;
	}
	op->message.type = m->type;
	op->data = text;
	op->size = m->size;
	op->owned = own;
	return 0;
}
