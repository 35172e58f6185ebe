/* SPDX-License-Identifier: MIT
 *
 * Names and values of shared data that were fetched some at a time, for who goes through all of them. A page is the
 * reply of data_next.lua. It is used for a moment only, and not for what this handle has changed since. Floor 2.
 */
#ifndef IL_REDIS_PAGE_H
#define IL_REDIS_PAGE_H

#include "engines/engine.h"
#include "engines/redis/client/request.h"

enum { IL_PAGES = 4 }; /* so many loops may go on at the same time */

struct il_pages {
	struct il_page {
		struct il_reply *reply; /* NULL: none */
		int64_t time;
	} page[IL_PAGES];
	int last;
	char *joined; /* name and value of the last entry, */
	size_t room;
};

/* The next after a name, if it is known: 0, or ENOENT, there is none; EAGAIN: the server must be asked; ENOMEM. */
int il_pages_next(struct il_pages *all, const char *name, size_t size, struct il_entry *e);

/* Takes over a reply, which is freed in its time; the first of its entries, or ENOENT; EPROTO, ENOMEM. */
int il_pages_add(struct il_pages *all, struct il_reply *reply, struct il_entry *e);

/* This name has changed. */
void il_pages_change(struct il_pages *all, const char *name, size_t size);

void il_pages_free(struct il_pages *all);

#endif
