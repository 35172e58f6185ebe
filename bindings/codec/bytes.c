/* SPDX-License-Identifier: MIT
 *
 * Bytes that grow, see bytes.h. Floor 4.
 */
#include "bytes.h"

#include <string.h>

void il_bytes_init(struct il_bytes *b, lua_State *L)
{
	b->L = L;
	b->data = b->first;
	b->size = 0;
	b->room = sizeof b->first;
	lua_pushnil(L);
	b->box = lua_gettop(L);
}

void il_bytes_grow(struct il_bytes *b, size_t more)
{
	size_t room = b->room;
	do
		room *= 2;
	while (room - b->size < more);
	char *data = lua_newuserdatauv(b->L, room, 0);
	memcpy(data, b->data, b->size);
	b->data = data;
	b->room = room;
	lua_replace(b->L, b->box);
}

void il_bytes_push(struct il_bytes *b)
{
	lua_pushlstring(b->L, b->data, b->size);
	lua_replace(b->L, b->box);
}
