/* SPDX-License-Identifier: MIT
 *
 * Shared data on a server: a hash of "version:value" by name, a sorted set of the names, and what there is of it in the
 * hash's field without a name. Each call is one script, or one command. Floor 2.
 */
#include "engines/redis/object/page_cache.h"
#include "engines/redis/redis.h"
#include "engines/redis/object/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 4 << 20, LARGEST_VALUE = 256 << 20, AT_ONCE = 128, BYTES_AT_ONCE = 64 << 10 };

struct data {
	struct il_data data;
	struct il_watches watches;
	struct il_pages pages;
	char made[IL_ID + 1]; /* its id, if it is to be made */
};

static struct data *data_of(struct il_data *data)
{
	return il_container_of(data, struct data, data);
}

static struct data *of_op(const struct il_op *op)
{
	return data_of(op->source);
}

/* A script, with the operation's name as its first argument. */
static void command(struct il_op *op, struct il_command *c, enum il_script script)
{
	il_watches_call(&of_op(op)->watches, c, script);
	if (op->name)
		il_command_bytes(c, op->name, op->name_size);
}

static int request(struct il_op *op, const struct il_command *c, enum il_request_flags flags,
	int (*told)(struct il_op *op, struct il_request *r, int err))
{
	return il_redis_object_request(&of_op(op)->watches.object, op, c, flags, told);
}

/* Reading ----------------------------------------------------------------------------------------------- */

/* "version:value", the second element of a reply. */
static void split(const struct il_request *r, struct il_entry *e)
{
	size_t size;
	const char *record = il_reply_bytes(r, 1, &size);
	il_record_split(e, record, size);
}

/* The id, and a record that is there? */
static int check(struct data *d, const struct il_request *r)
{
	size_t size;
	const char *head = il_reply_bytes(r, 0, &size);
	if (size < IL_ID || memcmp(head, d->watches.id, IL_ID) != 0) {
		d->data.shared.removed = true;
		return EIDRM;
	}
	return il_reply_count(r) == 2 && il_reply_has_string(r, 1) ? 0 : ENOENT;
}

static int got(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e;
	size_t size;
	if (!err)
		err = check(of_op(op), r);
	if (err)
		return err;
	split(r, &e);
	const char *record = il_reply_bytes(r, 1, &size);
	op->entry.version = e.version;
	return il_reply_take(r, 1, (size_t)((const char *)e.value - record), op);
}

static int get_start(struct il_op *op)
{
	struct il_command c;
	il_command_plain(&c, &of_op(op)->watches.object, "HMGET", "values");
	il_command_text(&c, "");
	il_command_bytes(&c, op->name, op->name_size);
	return request(op, &c, IL_SAFE, got);
}

/* One that waits looks at the entry later, and gets bytes of its own. */
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
	op->err = op->name ? il_pages_next(&of_op(op)->pages, op->name, op->name_size, &e) : EAGAIN;
	if (op->err == EAGAIN)
		return il_redis_object_attempt(op);
	if (!op->err)
		show(op, &e);
	return true;
}

static int told_next(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e;
	if (err)
		return err;
	err = il_pages_add(&of_op(op)->pages, r, &e);
	return err ? err : show(op, &e);
}

static int next_start(struct il_op *op)
{
	struct il_command c;
	il_watches_call(&of_op(op)->watches, &c, IL_SCRIPT_data_next);
	il_command_bytes(&c, op->name, op->name_size);
	il_command_number(&c, AT_ONCE);
	il_command_number(&c, BYTES_AT_ONCE);
	return request(op, &c, IL_SAFE, told_next);
}

static int told_stat(struct il_op *op, struct il_request *r, int err)
{
	struct data *d = of_op(op);
	if (!err)
		d->data.stat = (struct il_data_stat){
			.names = il_reply_number(r, 1),
			.used = il_reply_number(r, 2),
			.waiters = il_watches_count(&d->watches),
		};
	return err;
}

static int stat_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_data_stat);
	return request(op, &c, IL_SAFE, told_stat);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

/* Not the waits that have this version already, nor those that know a later one. */
static void tell(struct il_list *line, const struct il_entry *e, bool later)
{
	struct il_list round;
	il_list_move(line, &round);
	while (!il_list_empty(&round)) {
		struct il_op *op = il_container_of(round.next, struct il_op, link);
		il_list_del(&op->link);
		if (later ? e->version <= op->entry.version : e->version == op->entry.version) {
			il_list_add(line, &op->link);
			continue;
		}
		void *copy = e->value && e->size ? malloc(e->size) : NULL;
		if (copy)
			memcpy(copy, e->value, e->size);
		op->entry.version = e->value ? e->version : 0;
		op->data = copy;
		op->size = copy ? e->size : 0;
		op->owned = true;
		il_op_finish(op, !copy && e->value && e->size ? ENOMEM : 0);
	}
}

static int told(struct il_watch *w, struct il_request *r)
{
	struct il_entry e;
	split(r, &e);
	if (!e.version)
		e.value = NULL;
	tell(&w->ops, &e, false);
	return 0;
}

/* What this handle has changed: its own waits need not hear of it from the server. */
static void changed(struct data *d, const struct il_entry *e)
{
	struct il_watch *w = il_watch_find(&d->watches, e->name, e->name_size);
	il_pages_change(&d->pages, e->name, e->name_size);
	if (!w)
		return;
	il_watch_hold(w);
	tell(&w->ops, e, true);
	tell(&w->fresh, e, true);
	il_watch_let_go(w);
}

static void heard(struct il_watches *all, const char *name, size_t size)
{
	il_pages_change(&il_container_of(all, struct data, watches)->pages, name, size);
}

/* If all that wait have the same version, the value need not be told while it has that, too. */
static void ask_for(struct il_watch *w, struct il_command *c)
{
	int64_t version = il_container_of(w->ops.next, struct il_op, link)->entry.version;
	for (struct il_list *l = w->ops.next; l != &w->ops; l = l->next)
		if (il_container_of(l, struct il_op, link)->entry.version != version)
			version = -1;
	il_watches_call(w->all, c, IL_SCRIPT_data_look);
	il_command_bytes(c, w->key, w->size);
	il_command_number(c, version);
}

static int wait_start(struct il_op *op)
{
	return il_watch_start(&of_op(op)->watches, op, op->name, op->name_size);
}

static bool wait_cancel(struct il_op *op)
{
	il_watch_cancel(&of_op(op)->watches, op, op->name, op->name_size);
	return false;
}

/* Changing ---------------------------------------------------------------------------------------------- */

static int told_change(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e = { .name = op->name, .name_size = op->name_size, .value = op->data, .size = op->size };
	if (err)
		return err;
	e.version = op->entry.version = il_reply_number(r, 1);
	if (op->type == &of_op(op)->data.ops->delete)
		e.value = NULL;
	changed(of_op(op), &e);
	return 0;
}

static bool set_attempt(struct il_op *op)
{
	if (op->size <= of_op(op)->data.max_value)
		return il_redis_object_attempt(op);
	op->err = EMSGSIZE;
	return true;
}

static int set_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_data_set);
	il_command_bytes(&c, op->data, op->size);
	il_command_number(&c, op->entry.version);
	return request(op, &c, IL_UNSAFE, told_change);
}

static int delete_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_data_delete);
	il_command_number(&c, op->entry.version);
	return request(op, &c, IL_UNSAFE, told_change);
}

static int told_add(struct il_op *op, struct il_request *r, int err)
{
	struct il_entry e = { .name = op->name, .name_size = op->name_size };
	if (err)
		return err;
	e.version = il_reply_number(r, 2);
	e.value = il_reply_bytes(r, 1, &e.size);
	op->entry.number = il_reply_number(r, 1);
	changed(of_op(op), &e);
	return 0;
}

static int add_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_data_add);
	il_command_number(&c, op->entry.number);
	return request(op, &c, IL_UNSAFE, told_add);
}

/* Beginning and end ------------------------------------------------------------------------------------- */

static int told_open(struct il_op *op, struct il_request *r, int err)
{
	struct data *d = of_op(op);
	size_t size;
	if (err && err != EEXIST)
		return err;
	const char *id = il_reply_bytes(r, 1, &size);
	memcpy(d->watches.id, id, size < IL_ID ? size : IL_ID);
	d->data.size = (size_t)il_reply_number(r, 2);
	size_t largest = d->data.size / 4;
	d->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
	return err;
}

static int open_start(struct il_op *op)
{
	struct il_command c;
	struct data *d = of_op(op);
	il_command_init(&c, &d->watches.object, IL_SCRIPT_data_open);
	il_command_bytes(&c, d->made, IL_ID);
	il_command_number(&c, (int64_t)d->data.size);
	il_command_number(&c, SIZE);
	return request(op, &c, IL_SAFE, told_open);
}

static bool remove_attempt(struct il_op *op)
{
	struct il_command c;
	if (!op->last)
		return il_redis_object_attempt(op);
	command(op, &c, IL_SCRIPT_data_remove);
	il_redis_object_tell(&of_op(op)->watches.object, &c);
	return true;
}

static int told_remove(struct il_op *op, struct il_request *r, int err)
{
	(void)r;
	if (!err)
		il_watches_finish(&of_op(op)->watches, EIDRM);
	return err;
}

static int remove_start(struct il_op *op)
{
	struct il_command c;
	command(op, &c, IL_SCRIPT_data_remove);
	return request(op, &c, IL_SAFE, told_remove);
}

static void close_data(struct il_data *data)
{
	struct data *d = data_of(data);
	il_pages_free(&d->pages);
	il_watches_close(&d->watches);
	free(d);
}

static const struct il_data_ops ops = {
	.open = { "shared data", il_redis_object_attempt, open_start, il_redis_object_cancel },
	.wait = { "shared data wait", il_redis_object_attempt, wait_start, wait_cancel },
	.get = { "shared data get", il_redis_object_attempt, get_start, il_redis_object_cancel },
	.next = { "shared data pairs", next_attempt, next_start, il_redis_object_cancel },
	.set = { "shared data set", set_attempt, set_start, il_redis_object_cancel },
	.delete = { "shared data delete", il_redis_object_attempt, delete_start, il_redis_object_cancel },
	.add = { "shared data add", il_redis_object_attempt, add_start, il_redis_object_cancel },
	.stat = { "shared data stat", il_redis_object_attempt, stat_start, il_redis_object_cancel },
	.remove = { "shared data remove", remove_attempt, remove_start, il_redis_object_cancel },
	.close = close_data,
};

/* Its size is what is asked for, until it is open. */
int il_redis_data(const struct il_key *key, struct il_data_options *o, struct il_data **data)
{
	struct data *d = calloc(1, sizeof *d);
	if (!d)
		return ENOMEM;
	int err = il_watches_open(&d->watches, key, "data");
	if (err) {
		free(d);
		return err;
	}
	d->data.ops = &ops;
	d->data.size = o->size;
	d->watches.object.shared = &d->data.shared;
	d->watches.ask = ask_for;
	d->watches.told = told;
	d->watches.heard = heard;
	il_watches_name(&d->watches, d->made);
	*data = &d->data;
	return 0;
}
