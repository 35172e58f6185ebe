/* SPDX-License-Identifier: MIT
 *
 * URLs of Redis keys: redis://[user:password@]host[:port]/[db/]name and redis+unix:///path?db=0&name=name, with options
 * behind "?". Floor 2.
 */
#ifndef IL_REDIS_URL_H
#define IL_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct il_url {
	const char *host; /* or the path of a socket */
	bool local; /* it is a path */
	int port, db;
	const char *user, *password; /* NULL: none */
	const char *name; /* of the object */
	const char *prefix; /* of its keys: "ipclua", or ?prefix= */
	const char *client_name; /* "ipclua", or ?client_name=: the server's CLIENT LIST shows it */
	int64_t lease, timeout; /* ns: ?lease=10, ?timeout=5 */
	size_t size;
	char bytes[];
};

/* 0; ENOMEM; EINVAL, and *why. To be freed. */
int il_url_parse(const char *text, struct il_url **u, const char **why);

struct il_url *il_url_copy(const struct il_url *u);

/* The same server, database and user? They share a connection. */
bool il_url_same_server(const struct il_url *a, const struct il_url *b);

#endif
