/* SPDX-License-Identifier: MIT
 *
 * Reasons, see reason.h. Floor 0.
 */
#include "base/reason.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct {
	int err;
	char text[256];
} cause __attribute__((tls_model("initial-exec")));

bool il_is_shortage(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS;
}

const char *il_reason(int err)
{
	switch (err) {
	case EMFILE: return "Too many open files (ulimit -n)";
	case ENFILE: return "Too many open files in system (fs.file-max)";
	case EFBIG: return "File too large (ulimit -f)";
	default: return strerror(err);
	}
}

int il_because(int err, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(cause.text, sizeof cause.text, format, args);
	va_end(args);
	cause.err = err;
	return err;
}

const char *il_why(int err)
{
	return err && cause.err == err ? cause.text : NULL;
}
