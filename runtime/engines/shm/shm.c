/* SPDX-License-Identifier: MIT
 *
 * The table of the engine. Floor 2.
 */
#include "engines/shm/shm.h"

#include <errno.h>
#include <string.h>

int il_shm_check_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/");
	return length == 0 || name[length] || length > IL_NAME_MAX ? EINVAL : 0;
}

const struct il_engine il_shm = {
	.name = "shm",
	.semaphore = il_shm_semaphore,
	.mutex = il_shm_mutex,
	.queue = il_shm_queue,
	.memory = il_shm_memory,
	.data = il_local_data,
};
