/* SPDX-License-Identifier: MIT
 *
 * Shared data on a server: a hash of "version:value" by name, sorted sets of the names, and of those that are to go by
 * their time, and what there is of it in the hash's field without a name. Each call is one script, or one command; only
 * to get a name that is to go may take one of both. What changes it is in shared_data_write.c. Floor 2.
 */
#include "base/clock.h"
#include "engines/redis/object/page_cache.h"
#include "engines/redis/object/watch.h"
#include "engines/redis/redis.h"
#include "engines/redis/shared_data.h"
#include "engines/redis/shared_data_each.h"
#include "engines/redis/shared_data_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 4 << 20, LARGEST_VALUE = 256 << 20, AT_ONCE = 128, BYTES_AT_ONCE = 64 << 10 };

/* Reading ----------------------------------------------------------------------------------------------- */

/* A record, the second element of a reply, and how many bytes are in front of the value. True: it is to go. */
static bool split(const struct il_request *r, struct il_entry *e, size_t *head)
{
	size_t size;
	const char *record = il_reply_bytes(r, 1, &size);
	int64_t due = il_record_split(e, record, size);
	*head = (size_t)((const char *)e->value - record);
	return due != 0;
}

static int got_by_script(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e;
	size_t head;
	if (err)
		return il_redis_data_failure(r, err);
	il_redis_data_of(op)->expires = split(r, &e, &head);
	op->entry.version = e.version;
	return il_reply_take(r, 1, head, op);
}

/* One that is to go is gone by the server's clock. */
static int get_by_script(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_get);
	return il_redis_watched_request(op, &c, IL_SAFE, got_by_script);
}

static int got(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_watched *o = op->source;
	struct il_entry e;
	size_t size;
	if (err)
		return il_redis_data_failure(r, err);
	const char *head = il_reply_bytes(r, 0, &size);
	if (size < IL_ID || memcmp(head, o->id, IL_ID) != 0) {
		o->shared.removed = true;
		return EIDRM;
	}
	if (il_reply_count(r) != 2 || !il_reply_has_string(r, 1))
		return ENOENT;
	if (split(r, &e, &size))
		return get_by_script(op);
	op->entry.version = e.version;
	return il_reply_take(r, 1, size, op);
}

static int get_start(struct il_op *op)
{
	struct il_command c;
	if (il_redis_data_of(op)->expires)
		return get_by_script(op);
	il_command_plain(&c, &il_redis_data_of(op)->watched.waits.object, "HMGET", "values");
	il_command_text(&c, "");
	il_command_bytes(&c, op->name, op->name_size);
	return il_redis_watched_request(op, &c, IL_SAFE, got);
}

/* One that waits reads the entry later, and gets bytes of its own. */
static int show(struct il_op *op, const struct il_entry *e)
{
	size_t size = e->name_size + e->size;
	bool own = op->wait;
	void *bytes = own ? malloc(size) : (void *)e->name;
	if (!bytes)
		return ENOMEM;
	op->data = own ? memcpy(bytes, e->name, size) : bytes;
	op->owned = own;
	op->name_size = e->name_size;
	op->size = size;
	op->entry.version = e->version;
	return 0;
}

static bool next_attempt(struct il_op *op)
{
	struct il_entry e;
	op->err = op->name ? il_pages_next(&il_redis_data_of(op)->pages, op->name, op->name_size, &e) : EAGAIN;
	if (op->err == EAGAIN)
		return il_redis_object_attempt(op);
	if (!op->err)
		show(op, &e);
	return true;
}

static int next_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e;
	if (err)
		return il_redis_data_failure(r, err);
	err = il_pages_add(&il_redis_data_of(op)->pages, r, &e);
	return err ? err : show(op, &e);
}

static int next_start(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_next);
	il_command_number(&c, AT_ONCE);
	il_command_number(&c, BYTES_AT_ONCE);
	return il_redis_watched_request(op, &c, IL_SAFE, next_answered);
}

static int each_answered(struct il_op *op, struct il_request *r, int err)
{
	return err ? il_redis_data_failure(r, err) : il_redis_data_listed(op, r);
}

static int each_start(struct il_op *op)
{
	struct il_command c;
	il_redis_data_command(op, &c, IL_SCRIPT_data_each);
	il_command_number(&c, IL_DATA_SNAPSHOT);
	return il_redis_watched_request(op, &c, IL_SAFE, each_answered);
}

static int stat_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_watched *o = op->source;
	if (!err)
		o->data.stat = (struct il_data_stat){
			.names = il_reply_number(r, 1),
			.used = il_reply_number(r, 2),
			.waiters = il_redis_watched_waiters(o),
		};
	return err;
}

static int stat_start(struct il_op *op)
{
	struct il_command c;
	il_redis_watched_command(op, &c, IL_SCRIPT_data_stat);
	return il_redis_watched_request(op, &c, IL_SAFE, stat_answered);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

/* Not the waits that have this version already. */
static bool serve(struct il_op *op, const void *argument)
{
	const struct il_entry *e = argument;
	int64_t version = e->value ? e->version : 0;
	if (version == op->entry.version)
		return false;
	void *copy = e->value && e->size ? malloc(e->size) : NULL;
	op->err = !copy && e->value && e->size ? ENOMEM : 0;
	op->data = copy ? memcpy(copy, e->value, e->size) : NULL;
	op->size = copy ? e->size : 0;
	op->owned = true;
	op->entry.version = version;
	return true;
}

/* Of a change of this handle's: nor those that know a later one. */
static bool serve_change(struct il_op *op, const void *argument)
{
	const struct il_entry *e = argument;
	return op->entry.version < e->version && serve(op, e);
}

static int wait_answered(struct il_watch *w, struct il_request *r)
{
	struct il_entry e;
	size_t head;
	split(r, &e, &head);
	if (!e.version)
		e.value = NULL;
	il_watch_serve(w, false, serve, &e);
	return 0;
}

/* A name that is to go ends waits then, and no process tells of it. */
static int64_t wait_left(const struct il_request *r)
{
	int64_t left = il_reply_number(r, 2);
	return left > 0 && left < IL_NEVER / 1000 ? left * 1000 : 0;
}

/* If all that wait have the same version, the value is not wanted while it has that, too. */
static void query(struct il_watch *w, struct il_command *c)
{
	const struct il_op *first = il_list_first(const struct il_op, &w->waiter.asked, link);
	int64_t version = first->entry.version;
	il_list_each(const struct il_op, op, &w->waiter.asked, link)
		if (op->entry.version != version)
			version = IL_ANY_VERSION;
	il_redis_data_command(first, c, IL_SCRIPT_data_query);
	il_command_number(c, version);
}

static int wait_start(struct il_op *op)
{
	return il_watch_start(op, op->name, op->name_size);
}

void il_redis_data_drop_pages(struct il_redis_watched *o, const char *name, size_t size)
{
	if (!name)
		il_pages_free(&((struct il_redis_data *)o)->pages);
	else
		il_pages_change(&((struct il_redis_data *)o)->pages, name, size);
}

static const struct il_redis_watched_kind kind = {
	.noun = "data",
	.remove = IL_SCRIPT_data_remove,
	.query = query,
	.answered = wait_answered,
	.left = wait_left,
	.changed = il_redis_data_drop_pages,
};

static void serve_watch(struct il_watch *w, const void *entry)
{
	il_watch_serve(w, true, serve_change, entry);
}

void il_redis_data_changed(struct il_op *op, const struct il_entry *e)
{
	il_redis_data_drop_pages(op->source, op->name, op->name_size);
	il_watches_each(op->source, op->name, op->name_size, serve_watch, e);
}

/* Beginning and end ------------------------------------------------------------------------------------- */

static int open_answered(struct il_op *op, struct il_request *r, int err)
{
	struct il_redis_watched *o = op->source;
	if (err && err != EEXIST)
		return err;
	il_redis_watched_opened(o, r);
	o->data.size = (size_t)il_reply_number(r, 2);
	size_t largest = o->data.size / 4;
	o->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	return err;
}

static int open_start(struct il_op *op)
{
	struct il_command c;
	il_redis_watched_command(op, &c, IL_SCRIPT_data_open);
	il_command_number(&c, (int64_t)il_redis_data_of(op)->watched.data.size);
	il_command_number(&c, SIZE);
	return il_redis_watched_request(op, &c, IL_SAFE, open_answered);
}

static void close_data(struct il_data *data)
{
	struct il_redis_data *d = il_container_of(data, struct il_redis_data, watched.data);
	il_pages_free(&d->pages);
	il_redis_watched_close(&d->watched);
}

static const struct il_data_ops ops = {
	.open = { "shared data", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.wait = { "shared data wait", il_redis_object_attempt, wait_start, il_redis_waiter_cancel },
	.get = { "shared data get", il_redis_object_attempt, get_start, il_redis_object_cancel },
	.next = { "shared data pairs", next_attempt, next_start, il_redis_object_cancel },
	.each = { "shared data each", il_redis_object_attempt, each_start, il_redis_object_cancel },
	.set = { "shared data set", il_redis_data_set_attempt, il_redis_data_set_start, il_redis_object_cancel },
	.delete = { "shared data delete", il_redis_object_attempt, il_redis_data_delete_start, il_redis_object_cancel },
	.change = { "shared data change", il_redis_object_attempt, il_redis_data_change_start, il_redis_object_cancel },
	.clear = { "shared data clear", il_redis_object_attempt, il_redis_data_clear_start, il_redis_object_cancel },
	.add = { "shared data add", il_redis_object_attempt, il_redis_data_add_start, il_redis_object_cancel },
	.stat = { "shared data stat", il_redis_object_attempt, stat_start, il_redis_object_cancel },
	.remove = { "shared data remove", il_redis_watched_remove_attempt, il_redis_watched_remove_start,
		il_redis_object_cancel },
	.close = close_data,
};

/* Its size is what is asked for, until it is open. */
int il_redis_data(const struct il_key *key, struct il_data_options *options, struct il_data **data)
{
	struct il_redis_watched *o;
	int err = il_redis_watched_new(&kind, key, options->mode, sizeof(struct il_redis_data), &o);
	if (err)
		return err;
	o->data.ops = &ops;
	o->data.size = options->size;
	*data = &o->data;
	return 0;
}
