/* SPDX-License-Identifier: MIT
 *
 * Answers to requests, see request.h. What a server says is not believed: types and sizes are looked at. Floor 2.
 */
#include "engines/redis/face.h"
#include "engines/redis/server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct il_request *r, int err)
{
	if (r->face)
		r->face->remote.why = r->server->why;
	return il_because(err, "%s", r->server->why);
}

static int error_of(struct il_request *r)
{
	static const struct {
		const char *word;
		int err;
	} errors[] = {
		{ "OOM", ENOMEM },       { "NOAUTH", EACCES },     { "WRONGPASS", EACCES }, { "NOPERM", EACCES },
		{ "user executing the script", EACCES },
		{ "READONLY", EROFS },   { "LOADING", EBUSY },    { "MISCONF", EIO },      { "CLUSTERDOWN", EIO },
		{ "MOVED", EREMOTE },    { "WRONGTYPE", EINVAL },  { "BUSY", EBUSY },
	};
	il_server_explain(r->server, r->reply->str);
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (strstr(r->reply->str, errors[i].word))
			return fail(r, errors[i].err);
	return fail(r, EPROTO);
}

int il_request_status(struct il_request *r)
{
	if (r->face)
		r->face->remote.why = NULL;
	if (r->err)
		return fail(r, r->err);
	if (r->reply->type == REDIS_REPLY_ERROR)
		return error_of(r);
	int err = r->plain ? 0 : (int)il_reply_number(r, 0);
	if (err == EIDRM && r->face)
		r->face->remote.removed = true;
	return err;
}

int64_t il_reply_number(const struct il_request *r, size_t element)
{
	if (r->reply->type != REDIS_REPLY_ARRAY || element >= r->reply->elements)
		return 0;
	const redisReply *e = r->reply->element[element];
	return e->type == REDIS_REPLY_INTEGER ? e->integer : e->type == REDIS_REPLY_STRING ? strtoll(e->str, NULL, 10) : 0;
}

const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size)
{
	*size = 0;
	if (r->reply->type != REDIS_REPLY_ARRAY || element >= r->reply->elements ||
	    r->reply->element[element]->type != REDIS_REPLY_STRING)
		return "";
	*size = r->reply->element[element]->len;
	return r->reply->element[element]->str;
}
