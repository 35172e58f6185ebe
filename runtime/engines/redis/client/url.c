/* SPDX-License-Identifier: MIT
 *
 * URLs of Redis keys, see url.h. A URL is cut up in place: zero bytes end its parts. Floor 2.
 */
#include "engines/redis/client/url.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/reason.h"
#include "engines/engine.h"
#include "engines/redis/client/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 6379, SENTINEL_PORT = 26379, NAME_MAX_BYTES = 200, DB_MAX = 65535 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define WORD_WHY "is letters, digits, and \".\", \"_\", \"-\", \"/\""

static const char DEFAULT_WORD[] = "ipclua", WORD_BYTES[] = LETTERS "/",
		  ADDRESS_BYTES[] = LETTERS ":%"; /* fe80::1%eth0 */
static const char FORM[] =
	"a redis key is \"redis://[user:password@]host[:port]/[db/]name\", with several hosts \"a:1,b:2\", "
	"\"redis+sentinel://a,b/master/[db/]name\" or \"redis+unix:///path?db=0&name=name\"; rediss is redis over TLS";
static const char DB_WHY[] = "db in the URL must be from 0 to 65535",
		  ESCAPE_WHY[] = "a \"%\" in the URL is followed by two hexadecimal digits, which are not 00";

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* In place. NULL, or why not. */
static const char *decode(char *text)
{
	char *to = text;
	for (; *text; text++, to++) {
		*to = *text;
		if (*text != '%')
			continue;
		if (hex(text[1]) < 0 || hex(text[2]) < 0 || !(*to = (char)(hex(text[1]) * 16 + hex(text[2]))))
			return ESCAPE_WHY;
		text += 2;
	}
	*to = 0;
	return NULL;
}

/* Cuts at the first of a byte. Returns what follows, or NULL. */
static char *cut(char *text, int at)
{
	char *rest = strchr(text, at);
	if (rest)
		*rest++ = 0;
	return rest;
}

/* A whole number within limits, and nothing after it; or -1. */
static int number(const char *text, long least, long most)
{
	size_t digits = strspn(text, "0123456789");
	long n = digits && digits < 10 && !text[digits] ? strtol(text, NULL, 10) : -1;
	return n >= least && n <= most ? (int)n : -1;
}

/* Seconds as ns; 0: not between a hundredth of a second and a day. */
static int64_t seconds(const char *text)
{
	char *end;
	bool digits = text[strspn(text, "0123456789.")] == 0;
	double s = digits ? il_number_read(text, &end) : 0;
	return digits && end != text && !*end && s >= 0.01 && s <= 86400 ? il_nanoseconds(s) : 0;
}

static bool is_word(const char *text)
{
	return text && *text && !text[strspn(text, WORD_BYTES)] && strlen(text) <= NAME_MAX_BYTES;
}

/* Options ---------------------------------------------------------------------------------------------- */

enum form { TEXT, WORD, FILE_PATH, SECONDS, DB, YES_NO };

/* clang-format off */
#define OPTION(name, field, form, use, why) \
	{ #name, form, use, offsetof(struct il_url, field), #name " in the URL " why, \
		#name " is twice in the URL" }
/* clang-format on */

static const struct option {
	const char *name;
	enum form form;
	enum { ANY, LOCAL, TLS } use;
	size_t field;
	const char *why, *twice;
} known[] = {
	OPTION(prefix, prefix, WORD, ANY, WORD_WHY),
	OPTION(client_name, client_name, WORD, ANY, WORD_WHY),
	OPTION(lease, lease, SECONDS, ANY, "must be from 0.01 to 86400 seconds"),
	OPTION(timeout, timeout, SECONDS, ANY, "must be from 0.01 to 86400 seconds"),
	OPTION(name, name, TEXT, LOCAL, WORD_WHY),
	OPTION(db, db, DB, LOCAL, "must be from 0 to 65535"),
	OPTION(ca, ca, FILE_PATH, TLS, "is the absolute path of a file"),
	OPTION(cert, cert, FILE_PATH, TLS, "is the absolute path of a file"),
	OPTION(key, key, FILE_PATH, TLS, "is the absolute path of a file"),
	OPTION(verify, trusting, YES_NO, TLS, "is yes or no"),
};

static bool set(const struct option *o, void *field, const char *value)
{
	switch (o->form) {
	case SECONDS: return (*(int64_t *)field = seconds(value)) > 0;
	case DB: return (*(int *)field = number(value, 0, DB_MAX)) >= 0;
	case YES_NO: *(bool *)field = strcmp(value, "no") == 0; return *(bool *)field || strcmp(value, "yes") == 0;
	default:
		*(const char **)field = value;
		return o->form == WORD ? is_word(value) : o->form == TEXT || *value == '/';
	}
}

/* These two texts are kept until another reason is noted. */
static const char *misplaced(const struct option *o)
{
	return il_why(il_because(EINVAL,
		o->use == TLS ? "%s in the URL is for rediss:// only"
			      : "%s behind \"?\" in the URL is for redis+unix:// only",
		o->name));
}

static const char *unknown(const struct il_url *u, const char *name)
{
	const char *more = u->local ? ", name, db" : u->tls ? ", ca, cert, key, verify" : "";
	return il_why(il_because(EINVAL,
		"unknown option '%.40s' in the URL; it knows prefix, client_name, lease, timeout%s", name, more));
}

/* `seen`: a bit for each option that was there. */
static const char *option(struct il_url *u, const char *name, const char *value, unsigned *seen)
{
	for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
		const struct option *o = &known[i];
		if (strcmp(name, o->name) != 0)
			continue;
		if (o->use != ANY && !(o->use == LOCAL ? u->local : u->tls))
			return misplaced(o);
		if (*seen & 1u << i)
			return o->twice;
		*seen |= 1u << i;
		return set(o, (char *)u + o->field, value) ? NULL : o->why;
	}
	return unknown(u, name);
}

static const char *options(struct il_url *u, char *text)
{
	const char *why = NULL;
	unsigned seen = 0;
	while (text && *text && !why) {
		char *next = cut(text, '&'), *value = cut(text, '=');
		why = value ? decode(value) : "an option in the URL is name=value";
		if (!why)
			why = option(u, text, value, &seen);
		text = next;
	}
	return !why && u->key && !u->cert ? "key in the URL needs cert" : why;
}

/* Hosts and path --------------------------------------------------------------------------------------- */

/* "user:password@": the user may be empty. */
static const char *credentials(struct il_url *u, char *text)
{
	char *password = cut(text, ':');
	u->password = password;
	u->user = *text ? text : NULL;
	if (!password)
		return "the URL has a user without a password: user:password@ or :password@";
	const char *why = decode(text);
	return why ? why : decode(password);
}

/* "name", "name:port", "[address]:port" */
static const char *host(struct il_url *u, char *text)
{
	bool bracket = *text == '[';
	char *name = text + bracket, *port = cut(name, bracket ? ']' : ':');
	if (bracket && (!port || (*port && *port != ':') || !strchr(name, ':')))
		return FORM;
	if (bracket)
		port = *port ? port + 1 : NULL;
	if (u->hosts == IL_URL_HOSTS)
		return "the URL has more than 16 hosts";
	if (name[strspn(name, bracket ? ADDRESS_BYTES : LETTERS)])
		return "the host in the URL is a name, or an address such as 10.0.0.1 or [::1]";
	struct il_host *h = &u->host[u->hosts++];
	h->name = name;
	h->port = port ? number(port, 1, 65535) : u->sentinel ? SENTINEL_PORT : PORT;
	return !*name ? FORM : h->port < 0 ? "the port in the URL must be from 1 to 65535" : NULL;
}

static const char *authority(struct il_url *u, char *text)
{
	char *at = strrchr(text, '@');
	const char *why = NULL;
	if (at) {
		*at = 0;
		why = credentials(u, text);
		text = at + 1;
	}
	for (char *next; text && !why; text = next) {
		next = cut(text, ',');
		why = host(u, text);
	}
	return why;
}

static const char *parse_remote(struct il_url *u, char *rest)
{
	char *path = cut(rest, '/');
	const char *why = authority(u, rest);
	if (!why && path && u->sentinel) {
		u->master = path;
		path = cut(path, '/');
	}
	if (why || !path)
		return why ? why : FORM;
	if (u->sentinel && (!*u->master || u->master[strspn(u->master, LETTERS)]))
		return "the URL of sentinels names the master: redis+sentinel://host/master/name";
	size_t digits = strspn(path, "0123456789");
	if (digits && !path[digits])
		return "a name of digits alone in the URL needs a database before it: redis://host/0/3";
	if (digits && path[digits] == '/') {
		path[digits] = 0;
		u->db = number(path, 0, DB_MAX);
		path += digits + 1;
	}
	u->name = path;
	return u->db < 0 ? DB_WHY : decode(path);
}

static const char *parse_local(struct il_url *u, char *path)
{
	u->hosts = 1;
	u->host[0].name = path;
	return path[0] == '/' && path[1] && !strchr(path, '%')
		? NULL
		: "the URL of a socket has an absolute path, without \"%\": redis+unix:///path";
}

/* Returns what follows the scheme, or NULL. */
static char *scheme(struct il_url *u, char *text)
{
	char *rest = strstr(text, "://");
	size_t size = rest ? (size_t)(rest - text) : 0;
	if (size < 5 || strncmp(text, "redis", 5) != 0)
		return NULL;
	*rest = 0;
	text += 5;
	u->tls = *text == 's';
	text += u->tls;
	u->sentinel = strcmp(text, "+sentinel") == 0;
	u->local = !u->tls && strcmp(text, "+unix") == 0;
	return !*text || u->sentinel || u->local ? rest + 3 : NULL;
}

static const char *parse(struct il_url *u)
{
	char *query = cut(u->bytes, '?'), *rest = scheme(u, u->bytes);
	if (!rest)
		return FORM;
	if (u->tls && !&il_tls)
		return "rediss: this ipclua was built without OpenSSL (Debian: libssl-dev), and so without TLS";
	const char *why = u->local ? parse_local(u, rest) : parse_remote(u, rest);
	if (!why)
		why = options(u, query);
	if (!why && !u->name)
		why = "the URL of a socket needs ?name=: redis+unix:///path?name=name";
	if (!why && !is_word(u->name))
		why = "the name in the URL is 1 to 200 letters, digits, and \".\", \"_\", \"-\", \"/\"";
	return why;
}

int il_url_parse(const char *text, struct il_url **result, const char **why)
{
	size_t size = strlen(text) + 1;
	struct il_url *u = malloc(sizeof *u + size);
	if (!u)
		return ENOMEM;
	*u = (struct il_url){ .refs = 1,
		.prefix = DEFAULT_WORD,
		.client_name = DEFAULT_WORD,
		.lease = 10 * IL_SECOND,
		.timeout = 5 * IL_SECOND };
	memcpy(u->bytes, text, size);
	*why = parse(u);
	if (*why) {
		free(u);
		return EINVAL;
	}
	*result = u;
	return 0;
}

struct il_url *il_url_keep(struct il_url *u)
{
	u->refs++;
	return u;
}

void il_url_drop(struct il_url *u)
{
	if (!--u->refs)
		free(u);
}

/* Comparing and showing -------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool il_url_same_server(const struct il_url *a, const struct il_url *b)
{
	const char *const texts[][2] = { { a->user, b->user }, { a->password, b->password }, { a->master, b->master },
		{ a->ca, b->ca }, { a->cert, b->cert }, { a->key, b->key } };
	bool equal = a->local == b->local && a->sentinel == b->sentinel && a->tls == b->tls && a->db == b->db &&
		a->hosts == b->hosts && a->trusting == b->trusting;
	for (size_t i = 0; equal && i < sizeof texts / sizeof texts[0]; i++)
		equal = same(texts[i][0], texts[i][1]);
	for (int i = 0; equal && i < a->hosts; i++)
		equal = a->host[i].port == b->host[i].port && same(a->host[i].name, b->host[i].name);
	return equal;
}

const char *il_url_show(const struct il_url *u, char *text)
{
	char *at = stpcpy(text, u->tls ? "rediss" : "redis");
	bool prefix = strcmp(u->prefix, DEFAULT_WORD) != 0;
	if (u->local) {
		at += sprintf(at, "+unix://%s?", u->host[0].name);
		if (prefix)
			at += sprintf(at, "prefix=%s&", u->prefix);
		at += sprintf(at, "db=%d&name=", u->db);
		strcpy(at, u->name);
		return at;
	}
	at = stpcpy(at, u->sentinel ? "+sentinel://" : "://");
	for (int i = 0; i < u->hosts; i++) {
		bool colons = strchr(u->host[i].name, ':');
		at += sprintf(at, "%s%s%s%s:%d", i ? "," : "", colons ? "[" : "", u->host[i].name, colons ? "]" : "",
			u->host[i].port);
	}
	if (u->sentinel)
		at += sprintf(at, "/%s", u->master);
	at += sprintf(at, "/%d/", u->db);
	sprintf(at, prefix ? "%s?prefix=%s" : "%s", u->name, u->prefix);
	return at;
}
