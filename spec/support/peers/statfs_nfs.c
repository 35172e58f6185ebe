/* SPDX-License-Identifier: MIT
 *
 * Preloaded: every file system is NFS.
 */
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int fstatfs(int fd, struct statfs *buf)
{
	long err = syscall(SYS_fstatfs, fd, buf);
	buf->f_type = 0x6969;
	return (int)err;
}
