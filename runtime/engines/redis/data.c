/* SPDX-License-Identifier: MIT
 *
 * Shared data on a server: a hash of "version:value" by name, a sorted set of the names, and what there is of it in the
 * hash's field without a name. Each call is one script, or one command. Floor 2.
 */
#include "engines/redis/page.h"
#include "engines/redis/redis.h"
#include "engines/redis/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 4 << 20, LARGEST_VALUE = 256 << 20, AT_ONCE = 128, BYTES_AT_ONCE = 64 << 10 };

struct data {
	struct il_data data;
	struct il_watches watches;
	struct il_request *got; /* the answer to which the last entry belongs */
	struct il_pages pages;
	char made[IL_ID + 1]; /* its id, if it is to be made */
};

static struct data *data_of(struct il_data *data)
{
	return il_container_of(data, struct data, data);
}

static void call(struct data *d, struct il_command *c, enum il_script script, const char *name, size_t size)
{
	il_watches_call(&d->watches, c, script);
	if (name)
		il_command_bytes(c, name, size);
}

static int ask(struct data *d, const struct il_command *c, enum il_request_flags flags)
{
	return il_face_ask(&d->watches.face, c, flags);
}

static struct il_request *answer(struct data *d)
{
	return il_face_answer(&d->watches.face);
}

/* For answers of which nothing is kept. */
static int settle(struct il_request *r, int err)
{
	il_request_free(r);
	return err;
}

/* Reading ----------------------------------------------------------------------------------------------- */

/* "version:value", the second element of a reply. */
static void split(const struct il_request *r, struct il_entry *e)
{
	size_t size;
	char *end;
	const char *record = il_reply_bytes(r, 1, &size);
	e->version = strtoll(record, &end, 10);
	size_t head = (size_t)(end - record) + 1;
	e->value = record + (head < size ? head : size);
	e->size = size - (head < size ? head : size);
}

/* The id, and a record that is there? */
static int check(struct data *d, const struct il_request *r)
{
	size_t size;
	const char *head = il_reply_bytes(r, 0, &size);
	if (size < IL_ID || memcmp(head, d->watches.id, IL_ID) != 0) {
		d->data.remote->removed = true;
		return EIDRM;
	}
	return r->reply->elements == 2 && r->reply->element[1]->type == IL_REPLY_STRING ? 0 : ENOENT;
}

static int get(struct il_data *data, const char *name, size_t size, struct il_entry *e)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		il_command_plain(&c, &d->watches.face, "HMGET", "values");
		il_command_text(&c, "");
		il_command_bytes(&c, name, size);
		return ask(d, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err)
		err = check(d, r);
	if (err)
		return settle(r, err);
	split(r, e);
	if (d->got)
		il_request_free(d->got);
	d->got = r;
	return 0;
}

static int next(struct il_data *data, const char *name, size_t size, struct il_entry *e)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		int err = name ? il_pages_next(&d->pages, name, size, e) : EAGAIN;
		if (err != EAGAIN)
			return err;
		call(d, &c, IL_SCRIPT_data_next, name ? name : "", size);
		il_command_number(&c, AT_ONCE);
		il_command_number(&c, BYTES_AT_ONCE);
		return ask(d, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	return err ? settle(r, err) : il_pages_add(&d->pages, r, e);
}

static int stat_data(struct il_data *data, struct il_data_stat *stat)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		call(d, &c, IL_SCRIPT_data_stat, NULL, 0);
		return ask(d, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err)
		*stat = (struct il_data_stat){
			.names = il_reply_number(r, 1),
			.used = il_reply_number(r, 2),
			.waiters = il_watches_count(&d->watches),
		};
	return settle(r, err);
}

/* Waiting ----------------------------------------------------------------------------------------------- */

/* Not those who have it already, nor those who know a later one. */
static void tell(struct il_list *line, const struct il_entry *e, bool later)
{
	struct il_list round;
	il_list_move(line, &round);
	while (!il_list_empty(&round)) {
		struct il_op *op = il_container_of(round.next, struct il_op, link);
		il_list_del(&op->link);
		if (later ? e->version <= op->arg : e->version == op->arg) {
			il_list_add(line, &op->link);
			continue;
		}
		void *copy = e->value && e->size ? malloc(e->size) : NULL;
		if (copy)
			memcpy(copy, e->value, e->size);
		op->arg = e->value ? e->version : 0;
		il_op_clear(op); /* it may own the name */
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
	int64_t version = il_container_of(w->ops.next, struct il_op, link)->arg;
	for (struct il_list *l = w->ops.next; l != &w->ops; l = l->next)
		if (il_container_of(l, struct il_op, link)->arg != version)
			version = -1;
	il_watches_call(w->all, c, IL_SCRIPT_data_look);
	il_command_bytes(c, w->key, w->size);
	il_command_number(c, version);
}

static bool wait_attempt(struct il_op *op)
{
	op->remote = true;
	return false;
}

static int wait_start(struct il_op *op)
{
	return il_watch_start(&data_of(op->source)->watches, op, op->data, op->size);
}

static bool wait_cancel(struct il_op *op)
{
	il_watch_cancel(&data_of(op->source)->watches, op, op->data, op->size);
	return false;
}

/* Changing ---------------------------------------------------------------------------------------------- */

static int set(struct il_data *data, struct il_entry *e, int64_t version)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		if (e->value && e->size > data->max_value)
			return EMSGSIZE;
		call(d, &c, e->value ? IL_SCRIPT_data_set : IL_SCRIPT_data_delete, e->name, e->name_size);
		if (e->value)
			il_command_bytes(&c, e->value, e->size);
		il_command_number(&c, version);
		return ask(d, &c, IL_UNSAFE);
	}
	int err = il_request_status(r);
	if (!err) {
		e->version = il_reply_number(r, 1);
		changed(d, e);
	}
	return settle(r, err);
}

static int add(struct il_data *data, const char *name, size_t size, int64_t n, int64_t *sum)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		call(d, &c, IL_SCRIPT_data_add, name, size);
		il_command_number(&c, n);
		return ask(d, &c, IL_UNSAFE);
	}
	int err = il_request_status(r);
	if (!err) {
		struct il_entry e = { .name = name, .name_size = size, .version = il_reply_number(r, 2) };
		e.value = il_reply_bytes(r, 1, &e.size);
		*sum = il_reply_number(r, 1);
		changed(d, &e);
	}
	return settle(r, err);
}

/* Beginning and end ------------------------------------------------------------------------------------- */

static int remove_data(struct il_data *data)
{
	struct data *d = data_of(data);
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		call(d, &c, IL_SCRIPT_data_remove, NULL, 0);
		return ask(d, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err)
		il_watches_finish(&d->watches, EIDRM);
	return settle(r, err);
}

static void close_data(struct il_data *data)
{
	struct data *d = data_of(data);
	il_pages_free(&d->pages);
	il_watches_close(&d->watches);
	free(d);
}

static const struct il_data_ops ops = {
	{ "shared data wait", wait_attempt, wait_start, wait_cancel },
	get,
	set,
	next,
	stat_data,
	remove_data,
	close_data,
	add,
};

static int make(const struct il_key *key, struct il_data **data)
{
	struct data *d = calloc(1, sizeof *d);
	if (!d)
		return ENOMEM;
	int err = il_watches_open(&d->watches, key, "data");
	if (err) {
		free(d);
		return err;
	}
	d->data.remote = &d->watches.face.remote;
	d->data.ops = &ops;
	d->watches.ask = ask_for;
	d->watches.told = told;
	d->watches.heard = heard;
	il_watches_name(&d->watches, d->made);
	*data = &d->data;
	return 0;
}

static void opened(struct data *d, const struct il_request *r)
{
	size_t size;
	const char *id = il_reply_bytes(r, 1, &size);
	memcpy(d->watches.id, id, size < IL_ID ? size : IL_ID);
	d->data.size = (size_t)il_reply_number(r, 2);
	size_t largest = d->data.size / 4;
	d->data.max_value = largest < LARGEST_VALUE ? largest : LARGEST_VALUE;
}

static int open_data(struct data *d, struct il_data_options *o)
{
	struct il_request *r = answer(d);
	if (!r) {
		struct il_command c;
		il_command_init(&c, &d->watches.face, IL_SCRIPT_data_open);
		il_command_bytes(&c, d->made, IL_ID);
		il_command_number(&c, (int64_t)o->size);
		il_command_number(&c, SIZE);
		return ask(d, &c, IL_SAFE);
	}
	int err = il_request_status(r);
	if (!err || err == EEXIST)
		opened(d, r);
	o->found = d->data.size;
	return settle(r, err);
}

int il_redis_data(const struct il_key *key, struct il_data_options *o, struct il_data **data)
{
	int err = *data ? 0 : make(key, data);
	if (err)
		return err;
	err = open_data(data_of(*data), o);
	if (err && err != EINPROGRESS) {
		close_data(*data);
		*data = NULL;
	}
	return err;
}
