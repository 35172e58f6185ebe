/* SPDX-License-Identifier: MIT
 *
 * What a server says. However the bytes are cut, the same replies come of them, or the same refusal; and nothing that
 * was announced takes memory before it has come.
 */
#include "fuzz.h"

#include "engines/redis/client/resp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(FILE *to, const struct il_reply *r)
{
	fprintf(to, "%d %lld %zu %u:", (int)r->type, (long long)r->integer, r->len, r->elements);
	if (r->str) {
		if (r->str[r->len])
			abort();
		fwrite(r->str, 1, r->len, to);
	}
	for (uint32_t i = 0; i < r->elements; i++)
		show(to, il_reply_at(r, i));
}

/* Fed so many bytes at once. What came of them, as text. */
static char *read_all(const char *bytes, size_t size, size_t step, size_t *length)
{
	struct il_parser p = { 0 };
	char *text;
	FILE *to = open_memstream(&text, length);
	int err = 0;
	for (size_t at = 0; at < size && !err;) {
		size_t n = size - at < step ? size - at : step, room;
		char *place = il_parser_room(&p, &room);
		const struct il_reply *reply;
		if (!place)
			abort();
		n = n < room ? n : room;
		memcpy(place, bytes + at, n);
		il_parser_add(&p, n);
		at += n;
		while (!(err = il_parser_next(&p, &reply)) && reply)
			show(to, reply);
	}
	if (p.room > 2 * size + (64 << 10))
		abort();
	fprintf(to, "%d", err);
	fclose(to);
	il_parser_free(&p);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t steps[] = { 1, 7 }, length, other;
	char *whole = read_all((const char *)bytes, size, size + 1, &length);
	for (int i = 0; i < 2; i++) {
		char *cut = read_all((const char *)bytes, size, steps[i], &other);
		if (length != other || memcmp(whole, cut, length) != 0)
			abort();
		free(cut);
	}
	free(whole);
	return 0;
}

void fuzz_examples(void)
{
	static const char *const texts[] = {
		"+OK\r\n:-12\r\n$5\r\nhello\r\n_\r\n$-1\r\n*-1\r\n",
		"*3\r\n:0\r\n$0\r\n\r\n*2\r\n#t\r\n,1.5\r\n-ERR no\r\n",
		">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nab\r\n",
		"%2\r\n+a\r\n:1\r\n+b\r\n=7\r\ntxt:abc\r\n~1\r\n(123\r\n",
		"*8192\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:0\r\n",
		"$500000000\r\nabc",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		fuzz_example(texts[i], strlen(texts[i]));
}

void fuzz_end(void)
{
}
