/* SPDX-License-Identifier: MIT
 *
 * Commands: what a request says. Most run a script, EVALSHA or EVAL, whose KEYS are those of the object that the
 * script's first line names ("-- KEYS: meta order"); ARGV is what is added here. Floor 2.
 */
#ifndef IL_REDIS_COMMAND_H
#define IL_REDIS_COMMAND_H

#include <stddef.h>
#include <stdint.h>

#include "redis_scripts.h" /* enum il_script: IL_SCRIPT_queue_send is queue_send.lua; made at build */

struct il_redis_object;

enum { IL_COMMAND_ARGUMENTS = 40 };

/* Bytes are not copied: they must stay until the request is made. */
struct il_command {
	struct il_redis_object *object;
	enum il_script script;
	const char *command, *key; /* instead of a script, or NULL */
	int count;
	const char *argv[IL_COMMAND_ARGUMENTS];
	size_t size[IL_COMMAND_ARGUMENTS];
	char numbers[IL_COMMAND_ARGUMENTS][24];
};

void il_command_init(struct il_command *c, struct il_redis_object *f, enum il_script script);

/* A command of the server's own with one key, "base:word": faster, where that will do. Its reply has no status: see
 * il_request_status. */
void il_command_plain(struct il_command *c, struct il_redis_object *f, const char *command, const char *word);

void il_command_number(struct il_command *c, int64_t n);
void il_command_bytes(struct il_command *c, const void *bytes, size_t size);
void il_command_text(struct il_command *c, const char *text);

/* As it is sent, to be freed by free(); a script by its digest. 0 or ENOMEM. */
int il_command_format(const struct il_command *c, char **command, size_t *size);

/* Such a command with the script itself instead of its digest. 0 or ENOMEM, and nothing has changed. */
int il_command_make_whole(enum il_script script, char **command, size_t *size);

#endif
