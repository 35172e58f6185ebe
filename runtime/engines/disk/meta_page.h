/* SPDX-License-Identifier: MIT
 *
 * The first two pages of data.mdb. In each LMDB has its own bytes, then come those of commit.h, and at the end those of
 * soon.h.
 * Floor 2: no lua.h.
 */
#ifndef IL_DISK_META_PAGE_H
#define IL_DISK_META_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	IL_DISK_RECORD_AT = 192, /* where a record begins in its page */
	IL_DISK_SAVED = 256, /* bytes at the end of a page, for soon.h */
	IL_DISK_LARGE = 0x7fffffff, /* the size of a record that is none: LMDB has waited for the disk itself */
};

/* LMDB 0.9, format 1. What a commit changes begins with `map`. */
struct il_disk_meta {
	uint64_t page;
	uint16_t pad, flags;
	uint32_t bounds, magic, version;
	void *address;
	size_t map;
	struct {
		uint32_t pad;
		uint16_t flags, depth;
		size_t counts[5];
	} trees[2]; /* the first's pad: bytes of a page */
	size_t last, txn;
};

/* The head of a record. */
struct il_disk_record_head {
	uint64_t magic, txn, hash;
	uint32_t size, reserved;
};

/* All of it is written. 0 or errno. */
int il_disk_write(int fd, const void *bytes, size_t size, off_t at);

uint64_t il_disk_hash(uint64_t start, const void *bytes, size_t size);

/* The commit of this number is to be believed, as soon as the disk has been waited for. 0 or errno. */
int il_disk_write_large(int fd, size_t page, uint64_t txn);

/* Page `i` becomes as if its commit was the other one: one write within the first sector. 0 or errno. */
int il_disk_write_meta(int fd, int i, size_t page, const struct il_disk_meta *other);

extern const uint64_t il_disk_record_magic;

#endif
