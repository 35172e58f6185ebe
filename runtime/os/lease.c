/* SPDX-License-Identifier: MIT
 *
 * Leases, see lease.h and fcntl(2). Floor 1b.
 */
#include "os/lease.h"

#include <errno.h>
#include <fcntl.h>

int il_lease_take(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		return 0;
	return errno == EAGAIN ? EBUSY : errno == EINVAL ? ENOTSUP : errno == EACCES ? EPERM : errno;
}
