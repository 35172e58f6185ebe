/* SPDX-License-Identifier: MIT
 *
 * Names and values of shared data for a loop over all of them, fetched a page at a time: a page is the reply of
 * data_next.lua. It is used for a second at most, and not for names that this handle has changed since. Floor 2.
 */
#ifndef IL_REDIS_PAGE_CACHE_H
#define IL_REDIS_PAGE_CACHE_H

#include "engines/engine.h"
#include "engines/redis/client/answer.h"

/* "version:value", or "version@due:value": the value stays where it is. Returns when it is gone, or 0. */
int64_t il_record_split(struct il_entry *e, const char *record, size_t size);

enum { IL_PAGES = 4 }; /* for loops that go on at the same time */

struct il_pages {
	struct il_page {
		struct il_entry
			*entry; /* in the order of their names; the value directly behind the name; NULL: none */
		size_t count;
		bool more; /* the last one is not the last of all */
		int64_t until;
	} page[IL_PAGES];
	int last;
};

/* The entry after a name. 0; ENOENT: there is none; EAGAIN: no page has it, the server must be asked. */
int il_pages_next(struct il_pages *all, const char *name, size_t size, struct il_entry *e);

/* Keeps a reply as a page. 0 and its first entry; ENOENT: it has none; EPROTO, ENOMEM. */
int il_pages_add(struct il_pages *all, const struct il_request *r, struct il_entry *e);

/* A name has changed. */
void il_pages_change(struct il_pages *all, const char *name, size_t size);

void il_pages_free(struct il_pages *all);

#endif
