/* SPDX-License-Identifier: MIT
 *
 * Meta pages, see meta_page.h. Floor 2.
 */
#include "engines/disk/meta_page.h"

#include <errno.h>
#include <unistd.h>

_Static_assert(sizeof(struct il_disk_meta) <= IL_DISK_RECORD_AT, "LMDB's bytes of a meta page");

const uint64_t il_disk_record_magic = 0x6f6465726c706920; /* " iplredo" */

int il_disk_write(int fd, const void *bytes, size_t size, off_t at)
{
	ssize_t n = pwrite(fd, bytes, size, at);
	return n < 0 ? errno : (size_t)n == size ? 0 : ENOSPC;
}

uint64_t il_disk_hash(uint64_t start, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;
	uint64_t hash = 0xcbf29ce484222325 ^ start;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash ^ (uint64_t)size << 32;
}

int il_disk_write_large(int fd, size_t page, uint64_t txn)
{
	struct il_disk_record_head h = { .magic = il_disk_record_magic, .txn = txn, .size = IL_DISK_LARGE };
	return il_disk_write(fd, &h, sizeof h, (off_t)((txn & 1) * page) + IL_DISK_RECORD_AT);
}

int il_disk_write_meta(int fd, int i, size_t page, const struct il_disk_meta *other)
{
	size_t from = offsetof(struct il_disk_meta, map);
	const char *bytes = (const char *)other + from;
	int err = il_disk_write(fd, bytes, sizeof *other - from, (off_t)i * (off_t)page + (off_t)from);
	return err ? err : fdatasync(fd) ? errno : 0;
}
