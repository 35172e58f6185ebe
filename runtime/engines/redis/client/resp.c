/* SPDX-License-Identifier: MIT
 *
 * The protocol, see resp.h. The parser reads the bytes once, wherever they are cut: it is at the beginning of a line,
 * within one, or within a string. Floor 2.
 */
#include "engines/redis/client/resp.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 << 10, ENDING = 2, MARK = 4 }; /* bytes: "\r\n"; "txt:" before a verbatim string */

void il_reply_free(struct il_reply *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->elements && r->element; i++)
		il_reply_free(r->element[i]);
	free(r->element);
	free(r->str);
	free(r);
}

bool il_reply_is_error(const struct il_reply *r, const char *word)
{
	return r->type == IL_REPLY_ERROR && strncmp(r->str, word, strlen(word)) == 0;
}

void il_parser_reset(struct il_parser *p)
{
	il_reply_free(p->root);
	il_reply_free(p->string);
	free(p->line);
	memset(p, 0, sizeof *p);
}

/* Building --------------------------------------------------------------------------------------------- */

static struct il_reply *make(enum il_reply_type type)
{
	struct il_reply *r = calloc(1, sizeof *r);
	if (r)
		r->type = type;
	return r;
}

/* Puts a reply where it belongs; the parser owns it then. True: the whole is complete. */
static bool place(struct il_parser *p, struct il_reply *r)
{
	if (p->depth) {
		p->open[p->depth - 1].reply->element[p->open[p->depth - 1].next++] = r;
	} else {
		p->root = r;
	}
	if (r->elements) {
		p->open[p->depth].reply = r;
		p->open[p->depth++].next = 0;
		return false;
	}
	while (p->depth && p->open[p->depth - 1].next == p->open[p->depth - 1].reply->elements)
		p->depth--;
	return !p->depth;
}

/* An integer within limits, and nothing else. */
static bool number(const char *text, size_t size, int64_t least, int64_t most, int64_t *n)
{
	char digits[24], *end;
	if (!size || size >= sizeof digits || (*text != '-' && (*text < '0' || *text > '9')))
		return false;
	memcpy(digits, text, size);
	digits[size] = 0;
	errno = 0;
	*n = strtoll(digits, &end, 10);
	return !errno && end == digits + size && *n >= least && *n <= most;
}

static int text(struct il_reply *r, const char *bytes, size_t size)
{
	r->str = malloc(size + 1);
	if (!r->str)
		return ENOMEM;
	memcpy(r->str, bytes, size);
	r->str[size] = 0;
	r->len = size;
	return 0;
}

static int array(struct il_parser *p, struct il_reply *r, const char *bytes, size_t size, size_t each)
{
	int64_t n;
	if (!number(bytes, size, -1, IL_REPLY_MOST_ELEMENTS, &n))
		return EPROTO;
	if (n < 0 && each == 2)
		return EPROTO;
	if (n < 0) {
		r->type = IL_REPLY_NIL;
		return 0;
	}
	size_t elements = (size_t)n * each;
	p->count += elements;
	if (p->count > IL_REPLY_MOST_ELEMENTS || (elements && p->depth == IL_REPLY_DEPTH))
		return EPROTO;
	if (elements && !(r->element = calloc(elements, sizeof(struct il_reply *))))
		return ENOMEM;
	r->elements = elements;
	return 0;
}

/* "$size" was read: the bytes of the string follow. */
static int begin_string(struct il_parser *p, struct il_reply *r, const char *bytes, size_t size, bool verbatim)
{
	int64_t n;
	if (!number(bytes, size, verbatim ? MARK : -1, IL_REPLY_STRING_SIZE, &n))
		return EPROTO;
	if (n < 0) {
		r->type = IL_REPLY_NIL;
		return 0;
	}
	r->len = (size_t)n;
	p->room = r->len < FIRST_ROOM ? r->len : FIRST_ROOM;
	r->str = malloc(p->room + 1);
	if (!r->str)
		return ENOMEM;
	p->string = r;
	p->have = 0;
	p->verbatim = verbatim;
	return 0;
}

static int fill(struct il_parser *p, struct il_reply *r, char kind, const char *bytes, size_t size)
{
	switch (kind) {
	case '+': r->type = IL_REPLY_STATUS; return text(r, bytes, size);
	case '-': r->type = IL_REPLY_ERROR; return text(r, bytes, size);
	case ',':
	case '(': r->type = IL_REPLY_STRING; return text(r, bytes, size);
	case ':': return number(bytes, size, INT64_MIN, INT64_MAX, &r->integer) ? 0 : EPROTO;
	case '#':
		r->integer = size == 1 && *bytes == 't';
		return r->integer || (size == 1 && *bytes == 'f') ? 0 : EPROTO;
	case '_': r->type = IL_REPLY_NIL; return size ? EPROTO : 0;
	case '$':
	case '=': r->type = IL_REPLY_STRING; return begin_string(p, r, bytes, size, kind == '=');
	case '*':
	case '~':
	case '%': r->type = IL_REPLY_ARRAY; return array(p, r, bytes, size, kind == '%' ? 2 : 1);
	case '>': /* never within another reply, and never empty */
		r->type = IL_REPLY_PUSH;
		return p->depth || !size || *bytes == '-' || *bytes == '0' ? EPROTO : array(p, r, bytes, size, 1);
	default: return EPROTO;
	}
}

/* A whole line, without its end. */
static int line(struct il_parser *p, const char *bytes, size_t size, bool *complete)
{
	*complete = false;
	if (!size)
		return EPROTO;
	struct il_reply *r = make(IL_REPLY_INTEGER);
	if (!r)
		return ENOMEM;
	int err = fill(p, r, *bytes, bytes + 1, size - 1);
	if (err) {
		r->elements = 0;
		il_reply_free(r);
	} else if (p->string != r) {
		*complete = place(p, r);
	}
	return err;
}

/* Reading ---------------------------------------------------------------------------------------------- */

/* Collects a line until it is whole. */
static int read_line(struct il_parser *p, const char *bytes, size_t size, size_t *used, bool *complete)
{
	const char *end = memchr(bytes, '\n', size);
	size_t more = end ? (size_t)(end - bytes) + 1 : size;
	*used = more;
	if (p->line_size + more > IL_REPLY_LINE)
		return EPROTO;
	if (!end || p->line_size) {
		char *longer = realloc(p->line, p->line_size + more);
		if (!longer)
			return ENOMEM;
		memcpy(longer + p->line_size, bytes, more);
		p->line = longer;
		p->line_size += more;
		if (!end)
			return 0;
		bytes = p->line;
		more = p->line_size;
	}
	int err = more < ENDING || bytes[more - ENDING] != '\r' ? EPROTO : line(p, bytes, more - ENDING, complete);
	free(p->line);
	p->line = NULL;
	p->line_size = 0;
	return err;
}

static int make_room(struct il_parser *p)
{
	size_t room = p->room * 2 < p->string->len ? p->room * 2 : p->string->len;
	char *larger = realloc(p->string->str, room + 1);
	if (!larger)
		return ENOMEM;
	p->string->str = larger;
	p->room = room;
	return 0;
}

static bool end_string(struct il_parser *p)
{
	struct il_reply *r = p->string;
	p->string = NULL;
	if (p->verbatim) {
		r->len -= MARK;
		memmove(r->str, r->str + MARK, r->len);
	}
	r->str[r->len] = 0;
	return place(p, r);
}

static int read_string(struct il_parser *p, const char *bytes, size_t size, size_t *used, bool *complete)
{
	size_t len = p->string->len, n = 0;
	*used = 0;
	while (p->have < len && *used < size) {
		if (p->have == p->room && make_room(p))
			return ENOMEM;
		n = p->room - p->have < size - *used ? p->room - p->have : size - *used;
		memcpy(p->string->str + p->have, bytes + *used, n);
		p->have += n;
		*used += n;
	}
	while (p->have >= len && p->have < len + ENDING && *used < size)
		if (bytes[(*used)++] != "\r\n"[p->have++ - len])
			return EPROTO;
	if (p->have == len + ENDING)
		*complete = end_string(p);
	return 0;
}

int il_parser_feed(struct il_parser *p, const char *bytes, size_t size, size_t *used, struct il_reply **reply)
{
	*reply = NULL;
	*used = 0;
	while (*used < size) {
		bool complete = false;
		size_t n;
		int err = p->string ? read_string(p, bytes + *used, size - *used, &n, &complete)
				    : read_line(p, bytes + *used, size - *used, &n, &complete);
		if (err)
			return err;
		*used += n;
		if (!complete)
			continue;
		*reply = p->root;
		p->root = NULL;
		p->count = 0;
		return 0;
	}
	return 0;
}

/* Writing ---------------------------------------------------------------------------------------------- */

int il_resp_format(char **command, size_t *length, int argc, const char *const *argv, const size_t *size)
{
	enum { NUMBER = 24 };
	size_t room = NUMBER;
	for (int i = 0; i < argc; i++)
		room += NUMBER + ENDING + (size ? size[i] : strlen(argv[i]));
	char *at = *command = malloc(room);
	if (!at)
		return ENOMEM;
	at += snprintf(at, NUMBER, "*%d\r\n", argc);
	for (int i = 0; i < argc; i++) {
		size_t n = size ? size[i] : strlen(argv[i]);
		at += snprintf(at, NUMBER, "$%zu\r\n", n);
		memcpy(at, argv[i], n);
		at += n;
		*at++ = '\r';
		*at++ = '\n';
	}
	*length = (size_t)(at - *command);
	return 0;
}
