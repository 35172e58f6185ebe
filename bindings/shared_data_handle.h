/* SPDX-License-Identifier: MIT
 *
 * What the files of ipc.SharedData share: the handle (shared_data.c), what is read from it (shared_data_read.c), and
 * what changes it (shared_data_write.c). Floor 4.
 */
#ifndef IL_SHARED_DATA_HANDLE_H
#define IL_SHARED_DATA_HANDLE_H

#include "bind.h"
#include "codec/codec.h"
#include "engines/engine.h"

#include <lua.h>
#include <stdbool.h>

#define NOUN "shared data"
#define IL_DATA_CLASS "ipc.SharedData"

extern const char il_data_class[];

enum { IL_DATA_VERSIONS = 2 }; /* user value: the version that the handle last got of each name */

struct il_shared_data {
	struct il_object object;
	struct il_data *data; /* NULL: closed */
	enum il_codec codec;
	uint64_t identity; /* as on a board */
	char what[];
};

/* The handle at 1. Raises if it is closed. */
struct il_shared_data *il_data_check_open(lua_State *L);

/* An operation of its engine, for il_await_answer. */
static inline void il_data_call(struct il_op *op, struct il_shared_data *d, const struct il_op_type *type,
	int (*push)(lua_State *L, struct il_op *op))
{
	il_op_make(op, type, d->data);
	op->handle = d;
	op->push = push;
}

/* Raises. */
const char *il_data_check_name(lua_State *L, int arg, size_t *size);

/* nil, and why. */
int il_data_fail(lua_State *L, const struct il_shared_data *d, int err);

#endif
