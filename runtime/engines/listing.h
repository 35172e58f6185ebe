/* SPDX-License-Identifier: MIT
 *
 * What there is: the objects of an engine, as they are found without opening them. What is read of an object that is
 * in use is a moment's, and its numbers need not fit together. Floor 2: no lua.h.
 */
#ifndef IL_ENGINES_LISTING_H
#define IL_ENGINES_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { IL_FOUND_KEY = 320, IL_FOUND_NUMBERS = 12, IL_FOUND_PIDS = 16 };

struct il_found_number {
	const char *name; /* as the noun's stat() calls it */
	int64_t value;
};

struct il_found {
	const char *engine, *noun; /* the noun as its constructor is called */
	char key[IL_FOUND_KEY]; /* its text; a System V object whose file is not known: "sysv:0x0000abcd" */
	const char *fault; /* why no process can use it: "damaged"; NULL: one can */
	int64_t size; /* bytes that it takes */
	int64_t made; /* ns of the wall clock; 0: not known */
	uid_t owner;
	mode_t mode;
	uint64_t device, inode; /* of the file that the processes have mapped that use it; 0: there is none */
	int users; /* processes that have it open; -1: not known */
	pid_t pids[IL_FOUND_PIDS]; /* the first of them, where they are known; 0: no more */
	bool foreign; /* nothing tells that it was made by this runtime */
	bool holds; /* something that would be lost: messages, names, numbers that are not 0 */
	struct il_found_number numbers[IL_FOUND_NUMBERS]; /* the last one has no name */
};

/* How an unused object is removed: whatever it holds; or not at all, but whether it could be is said. */
enum il_unused { IL_UNUSED_ANYTHING = 1, IL_UNUSED_LOOK = 2 };

struct il_listing {
	struct il_found *at;
	size_t count, room;
};

/* A new entry, all zero but for the engine; NULL: no memory. Good until the next one. */
struct il_found *il_listing_add(struct il_listing *l, const char *engine);

/* A number that is told of it. */
void il_found_number(struct il_found *f, const char *name, int64_t value);

/* The file that is behind it. */
void il_found_file(struct il_found *f, const struct stat *st);

/* Why an object cannot be used, from what its constructor would say; EAGAIN and so on are no faults. */
const char *il_found_fault(int err);

/* Finds the processes that have the files of the entries mapped, among those that may be looked at. */
void il_listing_find_users(struct il_listing *l);

void il_listing_free(struct il_listing *l);

#endif
