/* SPDX-License-Identifier: MIT
 *
 * What the engine of file keys offers. Floor 2.
 */
#include "engines/sysv/sysv.h"

#include <errno.h>
#include <sys/ipc.h>

const struct il_engine il_sysv = {
	.name = "sysv",
	.semaphore = il_sysv_semaphore,
	.mutex = il_sysv_mutex,
	.queue = il_sysv_queue,
	.memory = il_sysv_memory,
	.data = il_local_data,
	.after_fork = il_sysv_file_lock_after_fork,
};

/* -1 can be a key: errno tells. 0 is IPC_PRIVATE, a new object with every call. */
int il_sysv_key(const char *path, int project, int32_t *id)
{
	errno = 0;
	*id = ftok(path, project);
	if (*id == -1 && errno)
		return errno;
	return *id == 0 ? EINVAL : 0;
}
