/* SPDX-License-Identifier: MIT
 *
 * The protocol of the server, RESP3: commands as bytes, and bytes as replies. No reply is believed: elements, depth,
 * lines and strings have limits, and memory is taken for bytes that have come, not for those that are announced. Knows
 * no connection. Floor 2.
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
	IL_REPLY_STRING_SIZE = 513 << 20,
	IL_REPLY_SIZE = 1 << 30, /* bytes of it, all together */
	IL_RESP_HEAD = 8 /* bytes in front of a command */
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
	uint32_t elements, first; /* of an array, and where they are: see il_reply_at */
	int64_t integer;
	size_t len;
	const char *str; /* of a string, a status, an error: in the parser's buffer, with a zero byte at the end */
};

static inline const struct il_reply *il_reply_at(const struct il_reply *r, size_t i)
{
	return r + r->first + i;
}

/* Is it an error that begins with this word? */
bool il_reply_is_error(const struct il_reply *r, const char *word);

/* Is element i of an array a string? Its text, or NULL. */
const char *il_reply_text(const struct il_reply *r, size_t i);

/* The integer with which a text begins: how many bytes it has; 0: it has none, or more than 64 bits. */
size_t il_resp_digits(const char *text, size_t size, int64_t *n);

/* What has come from a server, and where in it the parser is. All zero at first. */
struct il_parser {
	char *bytes;
	size_t room, size;
	size_t from, at; /* the reply begins there, and is read up to there */
	size_t seen; /* there is no end of the line before this */
	struct il_reply *node; /* the reply, and all its elements */
	size_t nodes, count;
	struct {
		uint32_t next, end;
	} open[IL_REPLY_DEPTH]; /* elements of arrays that are not complete */
	int depth;
	bool in_string; /* its bytes come next */
	bool done; /* the reply was handed out */
};

/* Room for bytes that come; NULL: no memory. Invalidates the last reply. */
char *il_parser_room(struct il_parser *p, size_t *room);

/* So many bytes have come into that room. */
void il_parser_add(struct il_parser *p, size_t size);

/* The next reply, which is good until the next call of these functions; or NULL: more must come. 0; EPROTO, ENOMEM: the
 * parser is of no use any more. */
int il_parser_next(struct il_parser *p, const struct il_reply **reply);

/* Forgets all bytes; it can be used again. The last reply stays. */
void il_parser_reset(struct il_parser *p);

void il_parser_free(struct il_parser *p);

/* A command that is being written. All zero at first. */
struct il_resp {
	char *bytes;
	size_t size, room;
	int words;
	bool failed; /* there was no memory */
};

void il_resp_begin(struct il_resp *w);
void il_resp_word(struct il_resp *w, const void *bytes, size_t size);

/* One word of two parts. */
void il_resp_word_of_two(struct il_resp *w, const void *first, size_t first_size, const void *second,
	size_t second_size);

/* Bytes of words that are written already. */
void il_resp_append(struct il_resp *w, const void *bytes, size_t size, int words);

/* The command is at bytes + *start, up to size. 0 or ENOMEM. */
int il_resp_end(struct il_resp *w, size_t *start);

/* The whole of it, of texts. */
int il_resp_write(struct il_resp *w, int argc, const char *const *argv, size_t *start);

#endif
