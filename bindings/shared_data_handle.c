/* SPDX-License-Identifier: MIT
 *
 * The handle of ipc.SharedData: the checks that all its methods begin with, and how they fail.
 * Floor 4.
 */
#include "shared_data_handle.h"
#include "bind.h"
#include "key_object.h"

#include <errno.h>
#include <string.h>

const char il_data_class[] = IL_DATA_CLASS;

struct il_shared_data *il_data_check_open(lua_State *L)
{
	struct il_shared_data *d = il_self(L, il_data_class);
	if (!d->data)
		il_error(L, NOUN " %s is closed", d->what);
	return d;
}

const char *il_data_check_name(lua_State *L, int arg, size_t *size)
{
	const char *name = lua_tolstring(L, arg, size);
	if (!name)
		il_bad_argument(L, arg, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, arg)));
	if (*size < 1 || *size > IL_DATA_NAME_MAX)
		il_bad_argument(L, arg,
			lua_pushfstring(L, "name must have from 1 to %d bytes, got %I", IL_DATA_NAME_MAX,
				(LUAI_UACINT)*size));
	if (*size == IL_DATA_NAME_MAX && memcmp(name, IL_DATA_NAME_KEPT, IL_DATA_NAME_MAX) == 0)
		il_bad_argument(L, arg, "the name of 511 bytes that are 255 is taken");
	return name;
}

int il_data_fail(lua_State *L, const struct il_shared_data *d, int err)
{
	if (!d->data)
		err = ECANCELED;
	if (err == ESTALE)
		return il_word(L, "changed");
	if (err == ENOSPC && !d->data->shared.why)
		return il_fail(L, err, NOUN " %s is full: size=%I", d->what, (LUAI_UACINT)d->data->size);
	if (err == EFBIG)
		return il_fail(L, err,
			"what is asked for of " NOUN " %s has more than %d bytes: narrow the prefix, or use pairs",
			d->what, IL_DATA_SNAPSHOT);
	return il_shared_fail(L, err, d->data, NOUN, d->what);
}
