/* SPDX-License-Identifier: MIT
 *
 * Answers, see answer.h. Floor 2.
 */
#include "engines/redis/client/answer.h"
#include "base/reason.h"
#include "engines/redis/client/reply.h"
#include "engines/redis/object/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct il_request *r, int err)
{
	if (r->object)
		r->object->shared->why = r->server->why;
	return il_because(err, "%s", r->server->why);
}

int il_request_status(struct il_request *r)
{
	struct il_server *s = r->server;
	char text[200];
	if (r->object)
		r->object->shared->why = NULL;
	if (r->err)
		return r->err == s->err || !s->why[0] || r->err == ECONNABORTED ? fail(r, r->err) : r->err;
	if (r->reply->type == IL_REPLY_ERROR) {
		int err = il_error_of(r->reply, text, sizeof text, NULL);
		il_server_explain(s, err, text);
		return fail(r, err);
	}
	if (r->plain)
		return 0;
	int err = (int)il_reply_number(r, 0);
	if (err == EIDRM && r->object)
		r->object->shared->removed = true;
	return err;
}

size_t il_reply_count(const struct il_request *r)
{
	return r->reply->type == IL_REPLY_ARRAY ? r->reply->elements : 0;
}

bool il_reply_has_string(const struct il_request *r, size_t element)
{
	return il_reply_count(r) && il_reply_text(r->reply, element);
}

int64_t il_reply_number(const struct il_request *r, size_t element)
{
	const struct il_reply *e = element < il_reply_count(r) ? il_reply_at(r->reply, element) : NULL;
	int64_t n = 0;
	if (e && e->type == IL_REPLY_STRING)
		il_resp_digits(e->str, e->len, &n);
	return e && e->type == IL_REPLY_INTEGER ? e->integer : n;
}

const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size)
{
	bool string = il_reply_has_string(r, element);
	*size = string ? il_reply_at(r->reply, element)->len : 0;
	return string ? il_reply_at(r->reply, element)->str : "";
}

int il_reply_take(const struct il_request *r, size_t element, size_t skip, struct il_op *op)
{
	size_t size;
	const char *bytes = il_reply_bytes(r, element, &size);
	if (!il_reply_has_string(r, element) || size < skip)
		return EPROTO;
	void *copy = malloc(size - skip + 1);
	if (!copy)
		return ENOMEM;
	op->data = memcpy(copy, bytes + skip, size - skip);
	op->size = size - skip;
	op->owned = true;
	return 0;
}
