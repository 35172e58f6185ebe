/* SPDX-License-Identifier: MIT
 *
 * TLS over a non-blocking socket: what rediss:// needs of OpenSSL 3, see tls.h. The library is loaded when the first
 * session is made, not when the program starts: that would take longer than all the rest of the start. OpenSSL's own
 * way to a socket would raise SIGPIPE, so it gets one of ours. Floor 2.
 */
#include "engines/redis/client/tls.h"
#include "engines/redis/state.h"

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
	X(SSL_get_verify_result) X(X509_verify_cert_error_string) X(BIO_meth_new) X(BIO_meth_set_write) \
	X(BIO_meth_set_read) X(BIO_meth_set_ctrl) X(BIO_new) X(BIO_set_data) X(BIO_get_data) X(BIO_set_init) \
	X(BIO_set_flags) X(BIO_clear_flags)

#define DECLARE(f) __typeof__(&f) f##_;
#define FIND(f) all &= (*(void **)&lib->f##_ = dlsym(handle, #f)) != NULL;
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

struct il_tls_library {
	FUNCTIONS(DECLARE)
	BIO_METHOD *method;
};
/* clang-format on */

struct il_tls_session {
	const struct il_tls_library *lib;
	SSL_CTX *context;
	SSL *session;
	int fd;
	char why[300]; /* the last failure; or empty */
};

/* Before a call of the library, after which its errors are asked for. */
static const struct il_tls_library *begin(struct il_tls_session *t)
{
	t->why[0] = 0;
	errno = 0;
	t->lib->ERR_clear_error_();
	return t->lib;
}

static int fail(struct il_tls_session *t, int err, const char *what)
{
	unsigned long code = t->lib->ERR_peek_error_();
	const char *reason = !code       ? NULL
		: ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
					 : t->lib->ERR_reason_error_string_(code);
	snprintf(t->why, sizeof t->why, "TLS: %s%s%s", what, reason ? ": " : "", reason ? reason : "");
	return err;
}

/* The socket ------------------------------------------------------------------------------------------- */

static int moved(struct il_tls_session *t, BIO *b, ssize_t n, int again)
{
	t->lib->BIO_clear_flags_(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		t->lib->BIO_set_flags_(b, again | BIO_FLAGS_SHOULD_RETRY);
	return (int)n;
}

static struct il_tls_session *session_of(BIO *b)
{
	return il_redis_state()->tls->BIO_get_data_(b);
}

static int write_socket(BIO *b, const char *bytes, int size)
{
	struct il_tls_session *t = session_of(b);
	return moved(t, b, send(t->fd, bytes, (size_t)size, MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

static int read_socket(BIO *b, char *bytes, int size)
{
	struct il_tls_session *t = session_of(b);
	return moved(t, b, recv(t->fd, bytes, (size_t)size, 0), BIO_FLAGS_READ);
}

static long control(BIO *b, int command, long n, void *p)
{
	(void)b, (void)n, (void)p;
	return command == BIO_CTRL_FLUSH;
}

/* Opening ---------------------------------------------------------------------------------------------- */

static bool find_all(struct il_tls_library *lib, void *handle)
{
	bool all = true;
	FUNCTIONS(FIND)
	return all;
}

/* No clean-up at exit: a forked child would run it, too. */
static int load_into(struct il_tls_library *lib, struct il_tls_session *t)
{
	static const char name[] = "libssl.so." TEXT(OPENSSL_SHLIB_VERSION);
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!handle || !find_all(lib, handle) || !lib->OPENSSL_init_ssl_(OPENSSL_INIT_NO_ATEXIT, NULL)) {
		const char *reason = handle ? "it is another one than this was built with" : dlerror();
		snprintf(t->why, sizeof t->why, "TLS: cannot load %s of OpenSSL: %s", name, reason);
		return ENOTSUP;
	}
	lib->method = lib->BIO_meth_new_(BIO_TYPE_SOURCE_SINK, "socket");
	if (!lib->method)
		return ENOMEM;
	lib->BIO_meth_set_write_(lib->method, write_socket);
	lib->BIO_meth_set_read_(lib->method, read_socket);
	lib->BIO_meth_set_ctrl_(lib->method, control);
	return 0;
}

static int load(struct il_tls_session *t)
{
	struct il_redis_state *state = il_redis_state();
	struct il_tls_library *lib = state->tls ? NULL : malloc(sizeof *lib);
	int err = state->tls ? 0 : lib ? load_into(lib, t) : ENOMEM;
	if (err)
		free(lib);
	else if (lib)
		state->tls = lib;
	t->lib = state->tls;
	return err;
}

/* EINVAL, not the system's ENOENT, which of data says that there is no such name. */
static int fail_file(struct il_tls_session *t, const char *option, const char *path, const char *more)
{
	unsigned long code = t->lib->ERR_peek_error_();
	char what[200];
	snprintf(what, sizeof what, "cannot read %s %.150s%s", option, path, more);
	return fail(t, ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) == EACCES ? EACCES : EINVAL, what);
}

static int set_files(struct il_tls_session *t, const struct il_url *u)
{
	SSL_CTX *c = t->context;
	const char *key = u->key ? u->key : u->cert;
	if (u->ca && !t->lib->SSL_CTX_load_verify_locations_(c, u->ca, NULL))
		return fail_file(t, "ca", u->ca, "");
	if (u->cert && t->lib->SSL_CTX_use_certificate_chain_file_(c, u->cert) <= 0)
		return fail_file(t, "cert", u->cert, "");
	if (u->cert && t->lib->SSL_CTX_use_PrivateKey_file_(c, key, SSL_FILETYPE_PEM) <= 0)
		return fail_file(t, "key", key, ", or it is not that of cert");
	if (!u->ca && !u->trusting)
		t->lib->SSL_CTX_set_default_verify_paths_(c);
	t->lib->SSL_CTX_set_verify_(c, u->trusting ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	t->lib->SSL_CTX_ctrl_(c, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	t->lib->SSL_CTX_ctrl_(c, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
		NULL);
	return 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Which certificate it has to show, and what must be in it. */
static bool set_host(const struct il_tls_library *lib, SSL *s, const char *host)
{
	if (is_address(host))
		return lib->X509_VERIFY_PARAM_set1_ip_asc_(lib->SSL_get0_param_(s), host);
	return lib->SSL_ctrl_(s, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)host) &&
		lib->SSL_set1_host_(s, host);
}

static int open_session(struct il_tls_session *t, const struct il_url *u, const char *host)
{
	int err = load(t);
	if (err)
		return err;
	t->context = begin(t)->SSL_CTX_new_(t->lib->TLS_client_method_());
	err = t->context ? set_files(t, u) : ENOMEM;
	if (err)
		return err;
	t->session = t->lib->SSL_new_(t->context);
	BIO *b = t->session ? t->lib->BIO_new_(t->lib->method) : NULL;
	if (!b)
		return ENOMEM;
	t->lib->BIO_set_data_(b, t);
	t->lib->BIO_set_init_(b, 1);
	t->lib->SSL_set_bio_(t->session, b, b);
	return set_host(t->lib, t->session, host) ? 0 : fail(t, EINVAL, "the host's name");
}

static int tls_open(struct il_tls_session **t, const struct il_url *u, const char *host, int fd)
{
	*t = calloc(1, sizeof **t);
	if (!*t)
		return ENOMEM;
	(*t)->fd = fd;
	return open_session(*t, u, host);
}

static void tls_close(struct il_tls_session *t)
{
	if (t->session)
		t->lib->SSL_free_(t->session);
	if (t->context)
		t->lib->SSL_CTX_free_(t->context);
	free(t);
}

static const char *tls_why(const struct il_tls_session *t)
{
	return t->why[0] ? t->why : NULL;
}

/* Talking ---------------------------------------------------------------------------------------------- */

/* The errno of a call that returned n <= 0. 0: the end. */
static int error_of(struct il_tls_session *t, int n)
{
	int err = errno;
	switch (t->lib->SSL_get_error_(t->session, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE: return EAGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	case SSL_ERROR_SYSCALL: return n ? err : 0;
	default: break;
	}
	bool cut = ERR_GET_REASON(t->lib->ERR_peek_error_()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
	return cut ? 0 : fail(t, EPROTO, "the connection failed");
}

static int tls_shake(struct il_tls_session *t)
{
	int n = begin(t)->SSL_connect_(t->session), err = n == 1 ? 0 : error_of(t, n);
	if (n == 1 || err == EAGAIN)
		return err;
	if (err != EPROTO)
		return fail(t, err ? err : ECONNRESET, "the server has ended the handshake");
	long verdict = t->lib->SSL_get_verify_result_(t->session);
	if (verdict == X509_V_OK)
		return fail(t, err, "no handshake (a server without TLS is redis://)");
	snprintf(t->why, sizeof t->why, "TLS: the server's certificate is not accepted: %s",
		t->lib->X509_verify_cert_error_string_(verdict));
	return EACCES;
}

static int within(size_t size)
{
	return size < INT_MAX ? (int)size : INT_MAX;
}

static ssize_t tls_read(struct il_tls_session *t, void *bytes, size_t size)
{
	int n = begin(t)->SSL_read_(t->session, bytes, within(size));
	if (n > 0)
		return n;
	errno = error_of(t, n);
	return errno ? -1 : 0;
}

static ssize_t tls_write(struct il_tls_session *t, const void *bytes, size_t size)
{
	int n = begin(t)->SSL_write_(t->session, bytes, within(size)), err = n > 0 ? 0 : error_of(t, n);
	if (n > 0)
		return n;
	errno = err ? err : ECONNRESET;
	return -1;
}

const struct il_tls il_tls = {
	.open = tls_open,
	.close = tls_close,
	.shake = tls_shake,
	.read = tls_read,
	.write = tls_write,
	.why = tls_why,
};
