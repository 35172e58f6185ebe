/* SPDX-License-Identifier: MIT
 *
 * Reasons, see reason.h. Floor 0.
 */
#include "base/reason.h"

#include <errno.h>
#include <string.h>

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
