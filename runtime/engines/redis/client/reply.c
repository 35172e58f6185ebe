/* SPDX-License-Identifier: MIT
 *
 * Answers to requests, see request.h. What a server says is not believed: types and sizes are looked at. Floor 2.
 */
#include "engines/redis/face.h"
#include "engines/redis/client/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST = 40 };

/* Errors ----------------------------------------------------------------------------------------------- */

/* By the word an error begins with, or by what is in it. passes: nothing was done, and it may be so at another time, or
 * at the server that the name is of then. */
static const struct error {
	const char *word;
	int err;
	bool within, passes;
} errors[] = {
	{ "OOM", ENOMEM, false, false },
	{ "NOAUTH", EACCES, false, false },
	{ "WRONGPASS", EACCES, false, false },
	{ "NOPERM", EACCES, false, false },
	{ "ERR AUTH", EACCES, false, false },
	{ "ERR invalid password", EACCES, false, false },
	{ "ERR Client sent AUTH", EACCES, false, false },
	{ "user executing the script", EACCES, true, false },
	{ "ACL failure", EACCES, true, false },
	{ "no permissions", EACCES, true, false },
	{ "READONLY", EROFS, false, true },
	{ "MASTERDOWN", EBUSY, false, true },
	{ "LOADING", EBUSY, false, true },
	{ "BUSY", EBUSY, false, true },
	{ "TRYAGAIN", EBUSY, false, true },
	{ "NOREPLICAS", EBUSY, false, true },
	{ "CLUSTERDOWN", EBUSY, false, true },
	{ "max number of clients", EBUSY, true, true },
	{ "MISCONF", EIO, false, false },
	{ "MOVED", EREMOTE, false, false },
	{ "WRONGTYPE", EINVAL, false, false },
};

static bool is_hex(const char *text, size_t size)
{
	return strspn(text, "0123456789abcdef") >= size;
}

/* Where the error of a command begins that a script has called. Redis 6 says: "ERR Error running script (call to
 * f_digest):
 * @user_script:1: @user_script: 1: -READONLY ..."; later ones: "READONLY ... script: digest, on @user_script:1." */
static const char *inner(const char *text)
{
	if (strncmp(text, "ERR Error ", 10) != 0)
		return text;
	const char *at = text, *last = NULL;
	while ((at = strstr(at, ": ")))
		last = at += 2;
	const char *code = strstr(text, ": -");
	return code ? code + 3 : last ? last : text;
}

/* Without digests of scripts, and where in one. */
static void clean(const char *text, char *to, size_t size)
{
	const char *from = inner(text), *end = strstr(from, " script: ");
	if (!end || !is_hex(end + 9, DIGEST))
		end = from + strlen(from);
	size_t n = 0;
	for (; from < end && n + 1 < size; from++) {
		if (is_hex(from, DIGEST))
			from += DIGEST - 1;
		else
			to[n++] = *from >= 0 && *from < ' ' ? ' ' : *from;
	}
	while (n && to[n - 1] == ' ')
		n--;
	to[n] = 0;
}

static const struct error *find(const char *text)
{
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		const struct error *e = &errors[i];
		size_t size = strlen(e->word);
		if (e->within ? strstr(text, e->word) != NULL
			      : strncmp(text, e->word, size) == 0 && (text[size] == ' ' || !text[size]))
			return e;
	}
	return NULL;
}

int il_error_of(const struct il_reply *r, char *text, size_t size)
{
	clean(r->str, text, size);
	const struct error *e = find(text);
	return e ? e->err : EPROTO;
}

bool il_error_passes(const struct il_reply *r)
{
	char text[200];
	clean(r->str, text, sizeof text);
	const struct error *e = find(text);
	return e && e->passes;
}

/* Requests --------------------------------------------------------------------------------------------- */

static int fail(struct il_request *r, int err)
{
	if (r->face)
		r->face->remote.why = r->server->why;
	return il_because(err, "%s", r->server->why);
}

int il_request_status(struct il_request *r)
{
	char text[200];
	if (r->face)
		r->face->remote.why = NULL;
	if (r->err) {
		if (r->err == r->server->err || !r->server->why[0])
			return fail(r, r->err);
		return r->err == ECONNABORTED ? fail(r, r->err) : r->err;
	}
	if (r->reply->type == IL_REPLY_ERROR) {
		int err = il_error_of(r->reply, text, sizeof text);
		il_server_explain(r->server, err, text);
		return fail(r, err);
	}
	if (r->plain)
		return 0;
	int err = (int)il_reply_number(r, 0);
	if (err == EIDRM && r->face)
		r->face->remote.removed = true;
	return err;
}

int64_t il_reply_number(const struct il_request *r, size_t element)
{
	if (r->reply->type != IL_REPLY_ARRAY || element >= r->reply->elements)
		return 0;
	const struct il_reply *e = r->reply->element[element];
	return e->type == IL_REPLY_INTEGER ? e->integer : e->type == IL_REPLY_STRING ? strtoll(e->str, NULL, 10) : 0;
}

const char *il_reply_bytes(const struct il_request *r, size_t element, size_t *size)
{
	*size = 0;
	if (r->reply->type != IL_REPLY_ARRAY || element >= r->reply->elements ||
		r->reply->element[element]->type != IL_REPLY_STRING)
		return "";
	*size = r->reply->element[element]->len;
	return r->reply->element[element]->str;
}
