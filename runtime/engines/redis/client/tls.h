/* SPDX-License-Identifier: MIT
 *
 * TLS over a non-blocking socket: what rediss:// needs of OpenSSL 3. The library is loaded when the first session is
 * made, not when the program starts: that would take longer than all the rest of the start. Floor 2.
 */
#ifndef IL_REDIS_TLS_H
#define IL_REDIS_TLS_H

#include "engines/redis/client/url.h"

#include <sys/types.h>

struct il_tls_session;

struct il_tls {
	/* A session with the host on a connected socket, which stays the caller's. The URL has the files and whether
	 * the certificate is verified. 0 or errno: EACCES, EINVAL: a file cannot be read; ENOTSUP, there is no library.
	 * To be closed even then, if it is not NULL. */
	int (*open)(struct il_tls_session **t, const struct il_url *u, const char *host, int fd);
	/* Frees it, and says nothing to the server. */
	void (*close)(struct il_tls_session *t);
	/* Goes on with the handshake: 0; EAGAIN, call it again when the socket is ready; EACCES: the server's
	 * certificate is not accepted; EPROTO, ECONNRESET and others. */
	int (*shake)(struct il_tls_session *t);
	/* As recv(2) and send(2): bytes, 0 at the end; -1 and errno. */
	ssize_t (*read)(struct il_tls_session *t, void *bytes, size_t size);
	ssize_t (*write)(struct il_tls_session *t, const void *bytes, size_t size);
	/* What went wrong in the last call, in words; or NULL. */
	const char *(*why)(const struct il_tls_session *t);
};

/* Not there, and no URL has TLS, where this was built without OpenSSL. */
extern const struct il_tls il_tls __attribute__((weak));

#endif
