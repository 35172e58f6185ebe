/* SPDX-License-Identifier: MIT
 *
 * Names in /dev/shm: an object's file gets one when it is whole, and loses it for good.
 * Floor 2.
 */
#ifndef IL_SHM_NAME_H
#define IL_SHM_NAME_H

#include "engines/shm/shm.h"

#include <sys/stat.h>

#define IL_PLACE "/dev/shm"

enum { IL_NOUN_MAX = 15, IL_NAME_PATH = sizeof IL_PLACE "/ipclua.." + IL_NOUN_MAX + IL_NAME_MAX };

/* The path of a noun's object with this name. */
void il_name_path(char path[IL_NAME_PATH], const char *noun, const char *name);

/* A new file without a name, and its name. EEXIST: another file has it. */
int il_name_file(int *fd);
int il_name_give(int fd, const char *path);

/* Before an object is removed: may this process take its name away? 0, and *fd is for il_name_take, or -1 where the
 * name is gone or is another file's. EPERM, EACCES, EROFS; or errno. */
int il_name_check(const char *path, const struct stat *mine, int *fd);

/* Takes the name away from an open file, if it still means that. 0 or errno. */
int il_name_take(const char *path, int fd);

#endif
