/* SPDX-License-Identifier: MIT
 *
 * TLS, see tls.h. OpenSSL's own way to a socket would raise SIGPIPE, so it gets one of ours. Floor 2.
 */
#include "engines/redis/client/tls.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* clang-format off */
#define FUNCTIONS(X) \
	X(OPENSSL_init_ssl) X(ERR_clear_error) X(ERR_peek_error) X(ERR_reason_error_string) \
	X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_verify) \
	X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_load_verify_locations) \
	X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) \
	X(SSL_new) X(SSL_free) X(SSL_set_bio) X(SSL_ctrl) X(SSL_set1_host) X(SSL_get0_param) \
	X(X509_VERIFY_PARAM_set1_ip_asc) X(SSL_connect) X(SSL_read) X(SSL_write) X(SSL_get_error) \
	X(SSL_get_verify_result) X(X509_verify_cert_error_string) \
	X(BIO_meth_new) X(BIO_meth_set_write) X(BIO_meth_set_read) X(BIO_meth_set_ctrl) \
	X(BIO_new) X(BIO_set_data) X(BIO_get_data) X(BIO_set_init) X(BIO_set_flags) X(BIO_clear_flags)

#define DECLARE(f) __typeof__(&f) f##_;
#define FIND(f) all &= (*(void **)&lib.f##_ = dlsym(handle, #f)) != NULL;
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static struct { FUNCTIONS(DECLARE) } lib;
/* clang-format on */

struct il_tls {
	SSL_CTX *context;
	SSL *session;
	int fd;
	char why[200]; /* the last failure; or empty */
};

static BIO_METHOD *method;

const char *il_tls_missing(void)
{
	return NULL;
}

const char *il_tls_why(const struct il_tls *t)
{
	return t && t->why[0] ? t->why : NULL;
}

/* Before a call of the library, after which its errors are asked for. */
static void begin(struct il_tls *t)
{
	t->why[0] = 0;
	errno = 0;
	lib.ERR_clear_error_();
}

static int fail(struct il_tls *t, int err, const char *what)
{
	unsigned long code = lib.ERR_peek_error_();
	const char *reason = !code       ? NULL
		: ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
					 : lib.ERR_reason_error_string_(code);
	snprintf(t->why, sizeof t->why, "TLS: %s%s%s", what, reason ? ": " : "", reason ? reason : "");
	return err;
}

/* The socket ------------------------------------------------------------------------------------------- */

static int socket_of(BIO *b)
{
	return ((struct il_tls *)lib.BIO_get_data_(b))->fd;
}

static int moved(BIO *b, ssize_t n, int again)
{
	lib.BIO_clear_flags_(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		lib.BIO_set_flags_(b, again | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static int write_socket(BIO *b, const char *bytes, int size)
{
	return moved(b, send(socket_of(b), bytes, (size_t)size, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int read_socket(BIO *b, char *bytes, int size)
{
	return moved(b, recv(socket_of(b), bytes, (size_t)size, 0), BIO_FLAGS_READ);
}

static long control(BIO *b, int command, long n, void *p)
{
	(void)b, (void)n, (void)p;
	return command == BIO_CTRL_FLUSH;
}

/* Opening ---------------------------------------------------------------------------------------------- */

static bool find_all(void *handle)
{
	bool all = true;
	FUNCTIONS(FIND)
	return all;
}

/* No clean-up at exit: a forked child would run it, too. */
static int load(struct il_tls *t)
{
	static const char name[] = "libssl.so." TEXT(OPENSSL_SHLIB_VERSION);
	if (method)
		return 0;
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!handle || !find_all(handle) || !lib.OPENSSL_init_ssl_(OPENSSL_INIT_NO_ATEXIT, NULL)) {
		snprintf(t->why, sizeof t->why,
			"TLS: the library %s is not there, or another one than this was built with", name);
		return ENOTSUP;
	}
	method = lib.BIO_meth_new_(BIO_TYPE_SOURCE_SINK, "socket");
	if (!method)
		return ENOMEM;
	lib.BIO_meth_set_write_(method, write_socket);
	lib.BIO_meth_set_read_(method, read_socket);
	lib.BIO_meth_set_ctrl_(method, control);
	return 0;
}

static int set_files(struct il_tls *t, const struct il_url *u)
{
	SSL_CTX *c = t->context;
	const char *key = u->key ? u->key : u->cert;
	if (u->ca && !lib.SSL_CTX_load_verify_locations_(c, u->ca, NULL))
		return fail(t, EACCES, "cannot read ca");
	if (u->cert && lib.SSL_CTX_use_certificate_chain_file_(c, u->cert) <= 0)
		return fail(t, EACCES, "cannot read cert");
	if (u->cert && lib.SSL_CTX_use_PrivateKey_file_(c, key, SSL_FILETYPE_PEM) <= 0)
		return fail(t, EACCES, "cannot read key, or it is not that of cert");
	if (!u->ca && !u->trusting)
		lib.SSL_CTX_set_default_verify_paths_(c);
	lib.SSL_CTX_set_verify_(c, u->trusting ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	lib.SSL_CTX_ctrl_(c, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	lib.SSL_CTX_ctrl_(c, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL);
	return 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Which certificate it has to show, and what must be in it. */
static bool set_host(SSL *s, const char *host)
{
	if (is_address(host))
		return lib.X509_VERIFY_PARAM_set1_ip_asc_(lib.SSL_get0_param_(s), host);
	return lib.SSL_ctrl_(s, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)host) &&
		lib.SSL_set1_host_(s, host);
}

static int open_session(struct il_tls *t, const struct il_url *u, const char *host)
{
	int err = load(t);
	if (err)
		return err;
	begin(t);
	t->context = lib.SSL_CTX_new_(lib.TLS_client_method_());
	err = t->context ? set_files(t, u) : ENOMEM;
	if (err)
		return err;
	t->session = lib.SSL_new_(t->context);
	BIO *b = t->session ? lib.BIO_new_(method) : NULL;
	if (!b)
		return ENOMEM;
	lib.BIO_set_data_(b, t);
	lib.BIO_set_init_(b, 1);
	lib.SSL_set_bio_(t->session, b, b);
	return set_host(t->session, host) ? 0 : fail(t, EINVAL, "the host's name");
}

int il_tls_open(struct il_tls **t, const struct il_url *u, const char *host, int fd)
{
	*t = calloc(1, sizeof **t);
	if (!*t)
		return ENOMEM;
	(*t)->fd = fd;
	return open_session(*t, u, host);
}

void il_tls_close(struct il_tls *t)
{
	if (t && t->session)
		lib.SSL_free_(t->session);
	if (t && t->context)
		lib.SSL_CTX_free_(t->context);
	free(t);
}

/* Talking ---------------------------------------------------------------------------------------------- */

/* The errno of a call that returned n <= 0. 0: the end. */
static int error_of(struct il_tls *t, int n)
{
	int err = errno;
	switch (lib.SSL_get_error_(t->session, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: return n ? err : 0;
	default: break;
	}
	bool cut = ERR_GET_REASON(lib.ERR_peek_error_()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	return cut ? 0 : fail(t, EPROTO, "the connection failed");
}

int il_tls_shake(struct il_tls *t)
{
	begin(t);
	int n = lib.SSL_connect_(t->session), err = n == 1 ? 0 : error_of(t, n);
	if (n == 1 || err == EAGAIN)
		return err;
	if (err != EPROTO)
		return fail(t, err ? err : ECONNRESET, "the server has ended the handshake");
	long verdict = lib.SSL_get_verify_result_(t->session);
	if (verdict == X509_V_OK)
		return fail(t, err, "no handshake (a server without TLS is redis://)");
	snprintf(t->why, sizeof t->why, "TLS: the server's certificate is not accepted: %s",
		lib.X509_verify_cert_error_string_(verdict));
	return EACCES;
}

static int within(size_t size)
{
	return size < INT_MAX ? (int)size : INT_MAX;
}

ssize_t il_tls_read(struct il_tls *t, void *bytes, size_t size)
{
	begin(t);
	int n = lib.SSL_read_(t->session, bytes, within(size));
	if (n > 0)
		return n;
	errno = error_of(t, n);
	return errno ? -1 : 0;
}

ssize_t il_tls_write(struct il_tls *t, const void *bytes, size_t size)
{
	begin(t);
	int n = lib.SSL_write_(t->session, bytes, within(size));
	if (n > 0)
		return n;
	int err = error_of(t, n);
	errno = err ? err : ECONNRESET;
	return -1;
}
