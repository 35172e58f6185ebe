/* SPDX-License-Identifier: MIT
 *
 * Changing shared data on a server: each call is one script. The waits of this handle learn at once what it has
 * changed.
 * Floor 2.
 */
#include "engines/redis/shared_data_write.h"
#include "engines/redis/shared_data.h"

#include <errno.h>

static int set_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e = { .value = op->data, .size = op->size };
	if (err)
		return il_redis_data_failure(r, err);
	e.version = op->entry.version = il_reply_number(r, 1);
	if (op->type == &il_redis_data_of(op)->watched.data.ops->delete)
		e.value = NULL;
	il_redis_data_changed(op, &e);
	return 0;
}

bool il_redis_data_set_attempt(struct il_op *op)
{
	if (op->size <= il_redis_data_of(op)->watched.data.max_value)
		return il_redis_object_attempt(op);
	op->err = EMSGSIZE;
	return true;
}

/* Of a ttl: rounded up, so that it is not over too early. */
static int64_t microseconds(int64_t ttl)
{
	return ttl <= 0 ? ttl : (ttl - 1) / 1000 + 1;
}

int il_redis_data_set_start(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_set);
	il_command_number(&c, op->entry.version);
	il_command_bytes(&c, op->data, op->size);
	il_command_number(&c, microseconds(op->entry.ttl));
	return il_redis_watched_request(op, &c, IL_UNSAFE, set_answered);
}

int il_redis_data_delete_start(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_delete);
	il_command_number(&c, op->entry.version);
	return il_redis_watched_request(op, &c, IL_UNSAFE, set_answered);
}

static void forget_changed(struct il_op *op)
{
	struct il_data_change c;
	const char *at = op->data, *end = at + op->size;
	while (il_data_change_next(&at, end, &c))
		if (c.edit != IL_DATA_CHECK)
			il_redis_data_drop_pages(op->source, c.name, c.name_size);
}

static int change_answered(struct il_op *op, struct il_request *r, int err)
{
	if (err)
		return il_redis_data_failure(r, err);
	op->entry.version = il_reply_number(r, 1);
	forget_changed(op);
	return 0;
}

/* One that only checks may be made twice. */
int il_redis_data_change_start(struct il_op *op)
{
	static const char *const edits[] = { "check", "set", "delete" };
	enum il_request_flags flags = IL_SAFE;
	struct il_data_change change;
	struct il_command c;
	const char *at = op->data, *end = at + op->size;
	il_redis_watched_command(op, &c, IL_SCRIPT_data_commit);
	while (il_data_change_next(&at, end, &change)) {
		il_command_bytes(&c, change.name, change.name_size);
		il_command_number(&c, change.version);
		il_command_text(&c, edits[change.edit]);
		il_command_bytes(&c, change.value, change.size);
		il_command_number(&c, microseconds(change.ttl));
		if (change.edit != IL_DATA_CHECK)
			flags = IL_UNSAFE;
	}
	return il_redis_watched_request(op, &c, flags, change_answered);
}

static int clear_answered(struct il_op *op, struct il_request *r, int err)
{
	if (err)
		return il_redis_data_failure(r, err);
	il_redis_data_drop_pages(op->source, NULL, 0);
	op->entry.number = il_reply_number(r, 1);
	return 0;
}

int il_redis_data_clear_start(struct il_op *op)
{
	struct il_command c;
	il_redis_watched_command(op, &c, IL_SCRIPT_data_clear);
	return il_redis_watched_request(op, &c, IL_UNSAFE, clear_answered);
}

static int add_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e = { .version = 0 };
	if (err)
		return il_redis_data_failure(r, err);
	e.version = il_reply_number(r, 2);
	e.value = il_reply_bytes(r, 1, &e.size);
	op->entry.number = il_reply_number(r, 1);
	il_redis_data_changed(op, &e);
	return 0;
}

int il_redis_data_add_start(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_add);
	il_command_number(&c, op->entry.number);
	return il_redis_watched_request(op, &c, IL_UNSAFE, add_answered);
}
