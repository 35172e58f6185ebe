/* SPDX-License-Identifier: MIT
 *
 * Whether a process has a file open. Floor 1b: no lua.h.
 */
#ifndef IL_OS_LEASE_H
#define IL_OS_LEASE_H

/* A lease of the kernel on a file that is open for writing: no other process on this machine, of whatever user or
 * namespace, has it open for writing, or mapped. As long as the descriptor is open none can get it: open(2) waits, or
 * is EAGAIN. A process that tries is told to this one by SIGIO, which must be ignored. 0; EBUSY: it is in use; ENOTSUP:
 * the file system has no leases; or errno. */
int il_lease_take(int fd);

#endif
