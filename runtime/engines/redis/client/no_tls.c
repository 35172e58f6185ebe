/* SPDX-License-Identifier: MIT
 *
 * What stands for tls.c where there is no OpenSSL, see tls.h: no URL has TLS then, so all but the first are never
 * called. Floor 2.
 */
#include "engines/redis/client/tls.h"

#include <errno.h>

const char *il_tls_missing(void)
{
	return "rediss: this ipclua was built without OpenSSL (Debian: libssl-dev), and so without TLS";
}

int il_tls_open(struct il_tls **t, const struct il_url *u, const char *host, int fd)
{
	(void)t, (void)u, (void)host, (void)fd;
	return ENOTSUP;
}

void il_tls_close(struct il_tls *t)
{
	(void)t;
}

int il_tls_shake(struct il_tls *t)
{
	(void)t;
	return ENOTSUP;
}

ssize_t il_tls_read(struct il_tls *t, void *bytes, size_t size)
{
	(void)t, (void)bytes, (void)size;
	return 0;
}

ssize_t il_tls_write(struct il_tls *t, const void *bytes, size_t size)
{
	(void)t, (void)bytes, (void)size;
	return 0;
}

const char *il_tls_why(const struct il_tls *t)
{
	(void)t;
	return NULL;
}
