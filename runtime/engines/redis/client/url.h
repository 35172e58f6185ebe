/* SPDX-License-Identifier: MIT
 *
 * URLs of Redis keys. Floor 2.
 *
 *	redis://[user:password@]host[:port][,host[:port]...]/[db/]name       the hosts are tried in turn
 *	redis+sentinel://[user:password@]host[:port][,...]/master/[db/]name  the hosts are sentinels
 *	redis+unix:///path?db=0&name=name
 *
 * rediss:// and rediss+sentinel:// are the same over TLS. Options follow a "?".
 */
#ifndef IL_REDIS_URL_H
#define IL_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IL_URL_HOSTS = 16 };

struct il_host {
	const char *name; /* or an address, or the path of a socket */
	int port; /* 0: it is a path */
};

struct il_url {
	int refs;
	bool local, sentinel, tls;
	int hosts;
	struct il_host host[IL_URL_HOSTS];
	int db;
	const char *user, *password; /* NULL: none */
	const char *master; /* its name for the sentinels */
	const char *name; /* of the object */
	const char *prefix; /* of the object's keys on the server */
	const char *client_name; /* in the server's CLIENT LIST */
	const char *ca, *cert, *key; /* files of TLS, or NULL */
	bool trusting; /* ?verify=no */
	int64_t lease, timeout; /* ns */
	char bytes[]; /* what the texts point into */
};

/* One reference, for the caller. 0; ENOMEM; EINVAL, and *why says what is wrong. */
int il_url_parse(const char *text, struct il_url **u, const char **why);

/* The URL as it may be shown, without secrets: itself one of the same object. `text` has room for strlen() of what was
 * parsed + IL_URL_MORE. Returns the place of the object's name in it, which ends with the text or a "?". */
const char *il_url_show(const struct il_url *u, char *text);

/* Takes and drops a reference. */
struct il_url *il_url_keep(struct il_url *u);
void il_url_drop(struct il_url *u);

/* Do both name the same server, database, user and way there? Then they share a connection. */
bool il_url_same_server(const struct il_url *a, const struct il_url *b);

#endif
