/* SPDX-License-Identifier: MIT
 *
 * What an answer means, see reply.h. Floor 2.
 */
#include "engines/redis/client/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { DIGEST = 40 };

/* Errors by the word they begin with, or by what is in them (within). passes: the server has done nothing, and may do
 * it at another time; or another server has the name by then. */
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

/* Where the error begins of a command that a script has called. Redis 6: "ERR Error running script (call to f_digest):
 * @user_script:1: @user_script: 1: -READONLY ...". Later ones: "READONLY ... script: digest, on @user_script:1." */
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

/* The text without digests of scripts, and places in them. */
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

int il_error_of(const struct il_reply *r, char *text, size_t size, bool *passes)
{
	clean(r->str, text, size);
	const struct error *e = find(text);
	size_t used = strlen(text);
	if (passes)
		*passes = e && e->passes;
	if (e && e->err == EREMOTE)
		snprintf(text + used, size - used,
			" (another node of the cluster has the object: its URL must name that one)");
	return e ? e->err : EPROTO;
}
