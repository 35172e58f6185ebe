/* SPDX-License-Identifier: MIT
 *
 * URLs of Redis keys, see url.h. Floor 2.
 */
#include "engines/redis/client/url.h"
#include "base/clock.h"
#include "base/number.h"
#include "engines/redis/redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 6379, NAME_MAX_BYTES = 200, DB_MAX = 65535 };

static const char DEFAULT_PREFIX[] = "ipclua", DEFAULT_CLIENT_NAME[] = "ipclua";
static const char NAME_BYTES[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
static const char HOST_BYTES[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
static const char ADDRESS_BYTES[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:%"; /* fe80::1%eth0 */
static const char NAME_WHY[] = "the name in the URL is 1 to 200 letters, digits, and \".\", \"_\", \"-\", \"/\"";
static const char FORM[] = "a redis key is \"redis://[user:password@]host[:port]/[db/]name\" or "
			   "\"redis+unix:///path?db=0&name=name\"";

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* In place. False: it would have a zero byte, or a "%" without two digits. */
static bool decode(char *text)
{
	char *to = text;
	for (; *text; text++, to++) {
		*to = *text;
		if (*text != '%')
			continue;
		if (hex(text[1]) < 0 || hex(text[2]) < 0 || !(*to = (char)(hex(text[1]) * 16 + hex(text[2]))))
			return false;
		text += 2;
	}
	*to = 0;
	return true;
}

/* Cuts at the first of a byte: what is behind it, or NULL. */
static char *cut(char *text, int at)
{
	char *rest = strchr(text, at);
	if (rest)
		*rest++ = 0;
	return rest;
}

/* A whole number within limits, and nothing behind it; -1. */
static long number(const char *text, long least, long most)
{
	size_t digits = strspn(text, "0123456789");
	long n = digits && digits < 10 && !text[digits] ? strtol(text, NULL, 10) : -1;
	return n >= least && n <= most ? n : -1;
}

/* Seconds as ns; 0: not between a hundredth of a second and a day. */
static int64_t seconds(const char *text)
{
	char *end;
	bool digits = text[strspn(text, "0123456789.")] == 0;
	double s = digits ? il_number_read(text, &end) : 0;
	return digits && end != text && !*end && s >= 0.01 && s <= 86400 ? il_nanoseconds(s) : 0;
}

static const char *option(struct il_url *u, const char *key, char *value)
{
	if (strcmp(key, "name") == 0 && u->local) {
		u->name = value;
	} else if (strcmp(key, "db") == 0 && u->local) {
		u->db = (int)number(value, 0, DB_MAX);
		return u->db < 0 ? "db in the URL must be from 0 to 65535" : NULL;
	} else if (strcmp(key, "prefix") == 0) {
		u->prefix = value;
		return *value && !value[strspn(value, NAME_BYTES)] && strlen(value) <= NAME_MAX_BYTES
			? NULL
			: "prefix in the URL is letters, digits, and \".\", \"_\", \"-\", \"/\"";
	} else if (strcmp(key, "lease") == 0) {
		u->lease = seconds(value);
		return u->lease ? NULL : "lease in the URL must be from 0.01 to 86400 seconds";
	} else if (strcmp(key, "timeout") == 0) {
		u->timeout = seconds(value);
		return u->timeout ? NULL : "timeout in the URL must be from 0.01 to 86400 seconds";
	} else if (strcmp(key, "client_name") == 0) {
		u->client_name = value;
		return *value && !value[strspn(value, NAME_BYTES)] && strlen(value) <= NAME_MAX_BYTES
			? NULL
			: "client_name in the URL is letters, digits, and \".\", \"_\", \"-\", \"/\"";
	} else {
		return "unknown option in the URL (there are prefix, lease, timeout, client_name; of redis+unix also "
		       "db, name)";
	}
	return NULL;
}

static const char *options(struct il_url *u, char *text)
{
	const char *why = NULL;
	while (text && *text && !why) {
		char *next = cut(text, '&'), *value = cut(text, '=');
		why = !value ? "an option in the URL is name=value" : !decode(value) ? FORM : option(u, text, value);
		text = next;
	}
	return why;
}

/* "[user:password@]host[:port]"; user may be empty, "password@" alone is ":password@". */
static const char *authority(struct il_url *u, char *text)
{
	char *at = strrchr(text, '@'), *host = text, *port;
	if (at) {
		*at = 0;
		host = at + 1;
		u->password = cut(text, ':');
		u->user = *text ? text : NULL;
		if (!u->password)
			return "the URL has a user without a password: user:password@ or :password@";
		if (!decode(text) || !decode((char *)u->password))
			return FORM;
	}
	const char *allowed = HOST_BYTES;
	if (*host == '[') {
		u->host = host + 1;
		allowed = ADDRESS_BYTES;
		port = cut(host, ']');
		if (!port || (*port && *port != ':') || !strchr(u->host, ':'))
			return FORM;
		port = *port ? port + 1 : NULL;
	} else {
		u->host = host;
		port = cut(host, ':');
	}
	if (u->host[strspn(u->host, allowed)])
		return "the host in the URL is a name, or an address such as 10.0.0.1 or [::1]";
	u->port = port ? (int)number(port, 1, 65535) : PORT;
	return !*u->host ? FORM : u->port < 0 ? "the port in the URL must be from 1 to 65535" : NULL;
}

static const char *parse_tcp(struct il_url *u, char *rest)
{
	char *path = cut(rest, '/');
	const char *why = authority(u, rest);
	if (why || !path)
		return why ? why : FORM;
	size_t digits = strspn(path, "0123456789");
	if (digits && !path[digits])
		return "the URL has a database and no name; of a name of digits alone say the database, too: "
		       "redis://host/0/3";
	if (digits && path[digits] == '/') {
		path[digits] = 0;
		u->db = (int)number(path, 0, DB_MAX);
		path += digits + 1;
	}
	u->name = path;
	return u->db < 0 ? "db in the URL must be from 0 to 65535" : decode(path) ? NULL : FORM;
}

static const char *parse_local(struct il_url *u, char *rest)
{
	u->local = true;
	u->host = rest;
	return rest[0] == '/' && rest[1] && !strchr(rest, '%')
		? NULL
		: "the URL of a socket has an absolute path, without \"%\": redis+unix:///path";
}

static const char *parse(struct il_url *u)
{
	char *text = u->bytes, *query = cut(text, '?');
	const char *why;
	if (strncmp(text, "redis://", 8) == 0)
		why = parse_tcp(u, text + 8);
	else if (strncmp(text, "redis+unix://", 13) == 0)
		why = parse_local(u, text + 13);
	else
		return FORM;
	if (!why)
		why = options(u, query);
	if (!why && (!u->name || !*u->name || u->name[strspn(u->name, NAME_BYTES)] || strlen(u->name) > NAME_MAX_BYTES))
		why = NAME_WHY;
	return why;
}

int il_url_parse(const char *text, struct il_url **result, const char **why)
{
	size_t size = strlen(text) + 1;
	struct il_url *u = malloc(sizeof *u + size);
	if (!u)
		return ENOMEM;
	*u = (struct il_url){ .prefix = DEFAULT_PREFIX,
		.client_name = DEFAULT_CLIENT_NAME,
		.lease = 10 * IL_SECOND,
		.timeout = 5 * IL_SECOND,
		.size = size };
	memcpy(u->bytes, text, size);
	*why = parse(u);
	if (*why) {
		free(u);
		return EINVAL;
	}
	*result = u;
	return 0;
}

static const char *moved(const struct il_url *from, const struct il_url *to, const char *text)
{
	bool inside = text >= from->bytes && text < from->bytes + from->size;
	return inside ? to->bytes + (text - from->bytes) : text;
}

struct il_url *il_url_copy(const struct il_url *u)
{
	struct il_url *copy = malloc(sizeof *u + u->size);
	if (!copy)
		return NULL;
	memcpy(copy, u, sizeof *u + u->size);
	const char **texts[] = { &copy->host, &copy->user, &copy->password, &copy->name, &copy->prefix,
		&copy->client_name };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (*texts[i])
			*texts[i] = moved(u, copy, *texts[i]);
	return copy;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool il_url_same_server(const struct il_url *a, const struct il_url *b)
{
	return a->local == b->local && a->port == b->port && a->db == b->db && same(a->host, b->host) &&
		same(a->user, b->user) && same(a->password, b->password);
}

/* "redis://host:port/db/name": never longer than what it was made of and the two numbers. */
int il_redis_check_url(const char *text, char *shown, const char **why)
{
	struct il_url *u;
	int err = il_url_parse(text, &u, why);
	if (err)
		return err;
	size_t room = strlen(text) + IL_URL_MORE;
	bool colons = strchr(u->host, ':'), prefix = strcmp(u->prefix, DEFAULT_PREFIX) != 0;
	if (u->local)
		snprintf(shown, room, "redis+unix://%s?%s%s%sdb=%d&name=%s", u->host, prefix ? "prefix=" : "",
			prefix ? u->prefix : "", prefix ? "&" : "", u->db, u->name);
	else
		snprintf(shown, room, "redis://%s%s%s:%d/%d/%s%s%s", colons ? "[" : "", u->host, colons ? "]" : "",
			u->port, u->db, u->name, prefix ? "?prefix=" : "", prefix ? u->prefix : "");
	free(u);
	return 0;
}
