/* SPDX-License-Identifier: MIT
 *
 * The protocol of the server, RESP3: commands as bytes, and bytes as replies. Nothing that comes is believed:
 * elements, depth, lines and strings have limits, and memory is taken for bytes that have come, not for those that are
 * announced. Knows no connection. Floor 2.
 */
#ifndef IL_REDIS_RESP_H
#define IL_REDIS_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IL_REPLY_MOST_ELEMENTS = 8192, /* of a reply, all together */
	IL_REPLY_DEPTH = 8,
	IL_REPLY_LINE = 64 << 10,
	IL_REPLY_STRING_SIZE = 513 << 20
};

/* A double and a large number are strings, a boolean is an integer, a map is an array of names and values. */
enum il_reply_type {
	IL_REPLY_STRING,
	IL_REPLY_STATUS,
	IL_REPLY_ERROR,
	IL_REPLY_INTEGER,
	IL_REPLY_NIL,
	IL_REPLY_ARRAY,
	IL_REPLY_PUSH
};

struct il_reply {
	enum il_reply_type type;
	int64_t integer;
	size_t len;
	char *str; /* malloc'ed, with a zero byte at the end; never NULL in a string, a status, an error */
	size_t elements;
	struct il_reply **element;
};

/* Harmless for NULL. */
void il_reply_free(struct il_reply *r);

/* Is it an error that begins with this word? */
bool il_reply_is_error(const struct il_reply *r, const char *word);

/* All zero at first. */
struct il_parser {
	struct il_reply *root;
	struct {
		struct il_reply *reply;
		size_t next;
	} open[IL_REPLY_DEPTH]; /* arrays that are not complete */
	int depth;
	size_t count; /* of elements so far */
	struct il_reply *string; /* it is being read, */
	size_t have, room; /* so far; bytes of str */
	bool verbatim;
	char *line; /* the beginning of one */
	size_t line_size;
};

/* Reads *used of the bytes. 0, and a reply, which the caller frees; or NULL: all bytes are used, and more must come.
 * EPROTO or ENOMEM: the parser is of no use any more. */
int il_parser_feed(struct il_parser *p, const char *bytes, size_t size, size_t *used, struct il_reply **reply);

/* Forgets all bytes; it can be used again. */
void il_parser_reset(struct il_parser *p);

/* The bytes of a command, to be freed by free(). size NULL: the arguments are text. 0 or ENOMEM. */
int il_resp_format(char **command, size_t *length, int argc, const char *const *argv, const size_t *size);

#endif
