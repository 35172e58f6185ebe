/* SPDX-License-Identifier: MIT
 *
 * The protocol, see resp.h. The parser works in the buffer into which the bytes come: a reply is a list of nodes that
 * point into it. It reads each byte once, wherever they are cut. Floor 2.
 */
#include "engines/redis/client/resp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* bytes; MARK: "txt:" before a verbatim string */
enum { LEAST_ROOM = 16 << 10, KEPT = 256 << 10, ENDING = 2, MARK = 4, FIRST_NODES = 64 };

bool il_reply_is_error(const struct il_reply *r, const char *word)
{
	return r->type == IL_REPLY_ERROR && strncmp(r->str, word, strlen(word)) == 0;
}

const char *il_reply_text(const struct il_reply *r, size_t i)
{
	return i < r->elements && il_reply_at(r, i)->type == IL_REPLY_STRING ? il_reply_at(r, i)->str : NULL;
}

/* The buffer ------------------------------------------------------------------------------------------- */

static void drop_reply(struct il_parser *p)
{
	p->from = p->at;
	p->done = p->in_string = false;
	p->depth = 0;
	p->count = 0;
	p->seen = p->at;
}

void il_parser_reset(struct il_parser *p)
{
	p->size = p->at = 0;
	drop_reply(p);
}

void il_parser_free(struct il_parser *p)
{
	free(p->bytes);
	free(p->node);
	*p = (struct il_parser){ 0 };
}

char *il_parser_room(struct il_parser *p, size_t *room)
{
	if (p->done)
		drop_reply(p);
	if (p->from) {
		memmove(p->bytes, p->bytes + p->from, p->size - p->from);
		p->size -= p->from;
		p->at -= p->from;
		p->seen -= p->from;
		p->from = 0;
	}
	if (p->room - p->size < LEAST_ROOM) {
		size_t larger = p->room ? 2 * p->room : 2 * LEAST_ROOM;
		char *bytes = realloc(p->bytes, larger);
		if (!bytes)
			return NULL;
		p->bytes = bytes;
		p->room = larger;
	}
	*room = p->room - p->size;
	return p->bytes + p->size;
}

void il_parser_add(struct il_parser *p, size_t size)
{
	p->size += size;
}

/* Reading ---------------------------------------------------------------------------------------------- */

static struct il_reply *current(struct il_parser *p)
{
	return &p->node[p->depth ? p->open[p->depth - 1].next : 0];
}

/* The current value is complete. True: so is the whole reply. */
static bool advance(struct il_parser *p)
{
	while (p->depth && ++p->open[p->depth - 1].next == p->open[p->depth - 1].end)
		p->depth--;
	return !p->depth;
}

/* Nodes for so many elements. */
static int reserve(struct il_parser *p, size_t more)
{
	if (p->count + more > IL_REPLY_MOST_ELEMENTS + 1)
		return EPROTO;
	if (p->count + more > p->nodes) {
		size_t nodes = p->nodes ? p->nodes : FIRST_NODES;
		while (nodes < p->count + more)
			nodes *= 2;
		struct il_reply *node = realloc(p->node, nodes * sizeof *node);
		if (!node)
			return ENOMEM;
		p->node = node;
		p->nodes = nodes;
	}
	p->count += more;
	return 0;
}

size_t il_resp_digits(const char *text, size_t size, int64_t *n)
{
	bool minus = size && *text == '-';
	size_t i = minus;
	for (*n = 0; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
		int digit = text[i] - '0';
		if (__builtin_mul_overflow(*n, 10, n) || __builtin_add_overflow(*n, minus ? -digit : digit, n))
			return 0;
	}
	return i > minus ? i : 0;
}

/* An integer within limits, and nothing else. */
static bool number(const char *text, size_t size, int64_t least, int64_t most, int64_t *n)
{
	return size && il_resp_digits(text, size, n) == size && *n >= least && *n <= most;
}

/* The place of a text is kept from the beginning of the reply, until that is complete. */
static int text(struct il_parser *p, enum il_reply_type type, const char *bytes, size_t size)
{
	*current(p) = (struct il_reply){ .type = type, .integer = bytes - (p->bytes + p->from), .len = size };
	return 0;
}

static int plain(struct il_parser *p, enum il_reply_type type, int64_t n)
{
	*current(p) = (struct il_reply){ .type = type, .integer = n };
	return 0;
}

/* The size of an array, so many elements for each. */
static int array(struct il_parser *p, enum il_reply_type type, const char *bytes, size_t size, int each)
{
	int64_t n;
	if (!number(bytes, size, each == 1 && type == IL_REPLY_ARRAY ? -1 : 0, IL_REPLY_MOST_ELEMENTS, &n))
		return EPROTO;
	if (n < 0)
		return plain(p, IL_REPLY_NIL, 0);
	uint32_t elements = (uint32_t)(n * each), at = (uint32_t)(current(p) - p->node), first = (uint32_t)p->count;
	int err = elements && p->depth == IL_REPLY_DEPTH ? EPROTO : reserve(p, elements);
	if (err)
		return err;
	p->node[at] = (struct il_reply){ .type = type, .elements = elements, .first = first - at };
	if (elements) {
		p->open[p->depth].next = first;
		p->open[p->depth++].end = first + elements;
	}
	return 0;
}

/* "$size": the bytes follow, and so many of them are no part of the string. */
static int begin_string(struct il_parser *p, const char *bytes, size_t size, size_t mark)
{
	int64_t n;
	if (!number(bytes, size, mark ? (int64_t)mark : -1, IL_REPLY_STRING_SIZE, &n))
		return EPROTO;
	if (n < 0)
		return plain(p, IL_REPLY_NIL, 0);
	p->in_string = true;
	return text(p, IL_REPLY_STRING, p->bytes + p->at + mark, (size_t)n - mark);
}

static int value(struct il_parser *p, char kind, const char *bytes, size_t size)
{
	int64_t n;
	bool is_true = size == 1 && *bytes == 't', is_false = size == 1 && *bytes == 'f';
	switch (kind) {
	case '+': return text(p, IL_REPLY_STATUS, bytes, size);
	case '-': return text(p, IL_REPLY_ERROR, bytes, size);
	case ',':
	case '(': return text(p, IL_REPLY_STRING, bytes, size);
	case ':': return number(bytes, size, INT64_MIN, INT64_MAX, &n) ? plain(p, IL_REPLY_INTEGER, n) : EPROTO;
	case '#': return is_true || is_false ? plain(p, IL_REPLY_INTEGER, is_true) : EPROTO;
	case '_': return size ? EPROTO : plain(p, IL_REPLY_NIL, 0);
	case '$': return begin_string(p, bytes, size, 0);
	case '=': return begin_string(p, bytes, size, MARK);
	case '*':
	case '~': return array(p, IL_REPLY_ARRAY, bytes, size, 1);
	case '%': return array(p, IL_REPLY_ARRAY, bytes, size, 2);
	case '>': /* never within another reply, and never empty */
		return p->depth || !size || *bytes == '0' ? EPROTO : array(p, IL_REPLY_PUSH, bytes, size, 1);
	default: return EPROTO;
	}
}

/* EAGAIN: more must come. */
static int read_line(struct il_parser *p, bool *whole)
{
	const char *line = p->bytes + p->at, *end = memchr(p->bytes + p->seen, '\n', p->size - p->seen);
	size_t size = (size_t)((end ? end + 1 : p->bytes + p->size) - line);
	p->seen = p->size;
	if (size > IL_REPLY_LINE || (end && (size <= ENDING || end[-1] != '\r')))
		return EPROTO;
	if (!end)
		return EAGAIN;
	int depth = p->depth, err = p->count ? 0 : reserve(p, 1);
	p->at += size;
	p->seen = p->at;
	if (!err)
		err = value(p, *line, line + 1, size - ENDING - 1);
	*whole = !err && !p->in_string && p->depth == depth && advance(p);
	return err;
}

static int read_string(struct il_parser *p, bool *whole)
{
	const struct il_reply *r = current(p);
	size_t end = p->from + (size_t)r->integer + r->len;
	if ((p->size > end && p->bytes[end] != '\r') || (p->size > end + 1 && p->bytes[end + 1] != '\n'))
		return EPROTO;
	if (p->size < end + ENDING)
		return EAGAIN;
	p->at = p->seen = end + ENDING;
	p->in_string = false;
	*whole = advance(p);
	return 0;
}

static void finish(struct il_parser *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct il_reply *r = &p->node[i];
		if (r->type > IL_REPLY_ERROR)
			continue;
		char *str = p->bytes + p->from + r->integer;
		str[r->len] = 0;
		r->str = str;
		r->integer = 0;
	}
	p->done = true;
}

int il_parser_next(struct il_parser *p, const struct il_reply **reply)
{
	*reply = NULL;
	if (p->done)
		drop_reply(p);
	while (p->at < p->size || p->in_string) {
		bool whole = false;
		int err = p->in_string ? read_string(p, &whole) : read_line(p, &whole);
		if (err)
			return err == EAGAIN ? 0 : err;
		if (!whole)
			continue;
		finish(p);
		*reply = p->node;
		return 0;
	}
	if (p->from == p->size && p->room > KEPT) { /* there was a large reply */
		free(p->bytes);
		p->bytes = NULL;
		p->room = p->size = p->from = p->at = p->seen = 0;
	}
	return p->size - p->from > IL_REPLY_SIZE ? EPROTO : 0;
}

/* Writing ---------------------------------------------------------------------------------------------- */

static bool make_room(struct il_resp *w, size_t more)
{
	if (w->room - w->size >= more)
		return true;
	size_t room = w->size + more + w->size / 2 + 256;
	char *bytes = w->failed ? NULL : realloc(w->bytes, room);
	w->failed = !bytes;
	if (!bytes)
		return false;
	w->bytes = bytes;
	w->room = room;
	return true;
}

void il_resp_begin(struct il_resp *w)
{
	w->size = 0;
	w->words = 0;
	w->failed = false;
	if (make_room(w, IL_RESP_HEAD))
		w->size = IL_RESP_HEAD;
}

void il_resp_append(struct il_resp *w, const void *bytes, size_t size, int words)
{
	if (!make_room(w, size))
		return;
	memcpy(w->bytes + w->size, bytes, size);
	w->size += size;
	w->words += words;
}

/* A mark, a number, and the end of the line, before `end`; returns where it begins. */
static char *head(char *end, char mark, size_t n)
{
	*--end = '\n';
	*--end = '\r';
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	*--end = mark;
	return end;
}

void il_resp_word(struct il_resp *w, const void *bytes, size_t size)
{
	il_resp_word_of_two(w, "", 0, bytes, size);
}

void il_resp_word_of_two(struct il_resp *w, const void *first, size_t first_size, const void *second,
	size_t second_size)
{
	size_t size = first_size + second_size;
	char line[24], *end = line + sizeof line, *start = head(end, '$', size);
	if (!make_room(w, sizeof line + size + ENDING))
		return;
	char *to = mempcpy(w->bytes + w->size, start, (size_t)(end - start));
	to = mempcpy(mempcpy(to, first, first_size), second, second_size);
	to = mempcpy(to, "\r\n", ENDING);
	w->size = (size_t)(to - w->bytes);
	w->words++;
}

int il_resp_end(struct il_resp *w, size_t *start)
{
	if (w->failed)
		return ENOMEM;
	*start = (size_t)(head(w->bytes + IL_RESP_HEAD, '*', (size_t)w->words) - w->bytes);
	return 0;
}

int il_resp_write(struct il_resp *w, int argc, const char *const *argv, size_t *start)
{
	il_resp_begin(w);
	for (int i = 0; i < argc; i++)
		il_resp_word(w, argv[i], strlen(argv[i]));
	return il_resp_end(w, start);
}
