/* SPDX-License-Identifier: MIT
 *
 * Commands, see command.h. This file alone has the text of the scripts. Floor 2.
 */
#define IL_SCRIPT_SOURCES
#include "engines/redis/client/command.h"
#include "engines/redis/object/object.h"
#include "engines/redis/client/resp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 512, KEYS_MAX = 8, WORDS = 3 + KEYS_MAX };

void il_command_init(struct il_command *c, struct il_redis_object *f, enum il_script script)
{
	c->object = f;
	c->script = script;
	c->command = NULL;
	c->count = 0;
}

void il_command_plain(struct il_command *c, struct il_redis_object *f, const char *command, const char *word)
{
	il_command_init(c, f, 0);
	c->command = command;
	c->key = word;
}

void il_command_bytes(struct il_command *c, const void *bytes, size_t size)
{
	c->argv[c->count] = size ? bytes : "";
	c->size[c->count++] = size;
}

void il_command_text(struct il_command *c, const char *text)
{
	il_command_bytes(c, text, strlen(text));
}

void il_command_number(struct il_command *c, int64_t n)
{
	char *digits = c->numbers[c->count];
	int size = snprintf(digits, sizeof c->numbers[0], "%lld", (long long)n);
	il_command_bytes(c, digits, (size_t)size);
}

/* "COMMAND base:word argument..." */
static int format_command(const struct il_command *c, char **command, size_t *size)
{
	const char *argv[2 + IL_COMMAND_ARGUMENTS];
	size_t lengths[2 + IL_COMMAND_ARGUMENTS];
	char key[KEY_MAX];
	*size = 0;
	argv[0] = c->command;
	argv[1] = key;
	lengths[0] = strlen(c->command);
	lengths[1] = (size_t)snprintf(key, KEY_MAX, "%s:%s", c->object->base, c->key);
	memcpy(argv + 2, c->argv, (size_t)c->count * sizeof *argv);
	memcpy(lengths + 2, c->size, (size_t)c->count * sizeof *lengths);
	return il_resp_format(command, size, 2 + c->count, argv, lengths);
}

/* "EVALSHA digest n base:word... argument..." */
static int format_script(const struct il_command *c, char **command, size_t *size)
{
	const struct il_script_source *script = &il_script_sources[c->script];
	const char *argv[WORDS + IL_COMMAND_ARGUMENTS];
	size_t lengths[WORDS + IL_COMMAND_ARGUMENTS];
	char keys[KEYS_MAX][KEY_MAX], number[12];
	int count = 0, n = 0;
	for (const char *word = script->keys; *word && n < KEYS_MAX; n++) {
		int length = (int)strcspn(word, " ");
		snprintf(keys[n], KEY_MAX, "%s:%.*s", c->object->base, length, word);
		word += length;
		word += *word == ' ';
	}
	snprintf(number, sizeof number, "%d", n);
	argv[count++] = "EVALSHA";
	argv[count++] = script->digest;
	argv[count++] = number;
	for (int i = 0; i < n; i++)
		argv[count++] = keys[i];
	for (int i = 0; i < count; i++)
		lengths[i] = strlen(argv[i]);
	memcpy(argv + count, c->argv, (size_t)c->count * sizeof *argv);
	memcpy(lengths + count, c->size, (size_t)c->count * sizeof *lengths);
	return il_resp_format(command, size, count + c->count, argv, lengths);
}

int il_command_format(const struct il_command *c, char **command, size_t *size)
{
	return c->command ? format_command(c, command, size) : format_script(c, command, size);
}

/* In place of EVALSHA and the digest. */
int il_command_make_whole(enum il_script number, char **command, size_t *size)
{
	static const char before[] = "$7\r\nEVALSHA\r\n$40\r\n0123456789012345678901234567890123456789\r\n";
	const struct il_script_source *script = &il_script_sources[number];
	char head[48];
	size_t first = (size_t)(strchr(*command, '\n') - *command) + 1, rest = *size - first - (sizeof before - 1);
	size_t n = (size_t)snprintf(head, sizeof head, "$4\r\nEVAL\r\n$%zu\r\n", script->size);
	char *whole = malloc(first + n + script->size + 2 + rest), *at = whole;
	if (!whole)
		return ENOMEM;
	at = mempcpy(at, *command, first);
	at = mempcpy(at, head, n);
	at = mempcpy(at, script->source, script->size);
	at = mempcpy(at, "\r\n", 2);
	at = mempcpy(at, *command + *size - rest, rest);
	free(*command);
	*command = whole;
	*size = (size_t)(at - whole);
	return 0;
}
