/* SPDX-License-Identifier: MIT
 *
 * The directory of a store: how its files are made, found, checked and deleted. Floor 2: no lua.h.
 */
#ifndef IL_STORE_DIRECTORY_H
#define IL_STORE_DIRECTORY_H

#include "engines/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { IL_STORE_PATH = 256 };

/* The files of a directory. */
enum { IL_STORE_DATA, IL_STORE_LOCK, IL_STORE_CONTROL, IL_STORE_FILES };

/* What a store is known by: its files stay the same ones while their directory is renamed. */
struct il_store_files {
	uint64_t device, inodes[IL_STORE_FILES], sizes[IL_STORE_FILES];
	uid_t owner;
};

/* Where the data of a key is; empty for a private one. */
void il_directory_path(char *path, const struct il_key *key);

/* Makes an empty directory for this process, and deletes those that dead processes have left. The guard is a
 * descriptor: while one is open, here or in a forked child, no other process deletes it. 0 or errno. */
int il_directory_make(char *path, int *guard);

/* Gives it its permissions and its name. EEXIST: the name is taken. */
int il_directory_publish(const char *from, const char *to, unsigned mode);

/* A file of `size` bytes that are there: to write to it cannot fail. 0 or errno. */
int il_directory_reserve(const char *path, const char *file, size_t size);

/* Closes the guard, and deletes the directory if no other process has it. */
void il_directory_leave(const char *path, int guard);

/* At the end of the process: deletes what children had when this process left it, and that they have no more. */
void il_directory_fini(void);

/* Deletes a private one. */
int il_directory_delete(const char *path);

/* Before it is removed: may this process do that? 0, and *fd is for il_directory_free, or -1 where the name is gone or
 * means another one. EPERM, EACCES, EROFS; or errno. */
int il_directory_to_remove(const char *path, const struct il_store_files *files, int *fd);

/* Deletes an open directory, if the name still means it. 0 or errno. */
int il_directory_free(const char *path, int fd);

/* Files of the right kind, by an owner to be trusted. 0; ENOENT: there is no directory; EACCES, EINVAL: not a directory
 * of ours; EUCLEAN: a file is missing, or no file; EAGAIN: it was removed meanwhile. */
int il_directory_check(const char *path, struct il_store_files *files);

/* 0; EAGAIN: another directory; EUCLEAN: the same, and files were cut or have grown. */
int il_directory_compare(const struct il_store_files *a, const struct il_store_files *b);

#endif
