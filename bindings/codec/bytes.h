/* SPDX-License-Identifier: MIT
 *
 * Bytes that grow, for the encoders: on the C stack as long as they fit there, then in a userdata. So nothing is lost
 * when Lua raises, and a luaL_Buffer's demands on the Lua stack do not stand in the way of lua_next. Floor 4.
 */
#ifndef IL_BYTES_H
#define IL_BYTES_H

#include <lua.h>
#include <stddef.h>

enum { IL_BYTES_FIRST = 4096 };

struct il_bytes {
	lua_State *L;
	char *data;
	size_t size, room;
	int box; /* stack index of the userdata, once there is one */
	char first[IL_BYTES_FIRST];
};

/* Takes one slot of the Lua stack, which the caller takes off when it is done. */
void il_bytes_init(struct il_bytes *b, lua_State *L);

/* Makes room for more. Raises. */
void il_bytes_grow(struct il_bytes *b, size_t more);

/* The place of the next `size` bytes, which count as written. */
static inline char *il_bytes_add(struct il_bytes *b, size_t size)
{
	if (b->room - b->size < size)
		il_bytes_grow(b, size);
	char *p = b->data + b->size;
	b->size += size;
	return p;
}

/* Replaces the slot by a string of all bytes. It must be at the top. */
void il_bytes_push(struct il_bytes *b);

#endif
