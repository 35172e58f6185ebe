/* SPDX-License-Identifier: MIT
 *
 * What a server says. However the bytes are cut, the same replies come of them, or the same refusal; and nothing that
 * was announced takes memory before it has come.
 */
#include "fuzz.h"

#include "engines/redis/client/resp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256 };

static bool same(const struct il_reply *a, const struct il_reply *b)
{
	if (a->type != b->type || a->integer != b->integer || a->len != b->len || a->elements != b->elements)
		return false;
	if (a->str && (!b->str || memcmp(a->str, b->str, a->len + 1) != 0 || a->str[a->len]))
		return false;
	for (size_t i = 0; i < a->elements; i++)
		if (!a->element[i] || !b->element[i] || !same(a->element[i], b->element[i]))
			return false;
	return true;
}

/* Fed so many bytes at once. */
static int read_all(const char *bytes, size_t size, size_t step, struct il_reply *replies[MOST], size_t *count)
{
	struct il_parser p = { 0 };
	int err = 0;
	*count = 0;
	for (size_t at = 0; at < size && !err && *count < MOST;) {
		size_t n = size - at < step ? size - at : step, used;
		struct il_reply *reply;
		err = il_parser_feed(&p, bytes + at, n, &used, &reply);
		at += used;
		if (!err && !reply && used != n)
			abort();
		if (reply)
			replies[(*count)++] = reply;
	}
	il_parser_reset(&p);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct il_reply *whole[MOST], *cut[MOST];
	size_t steps[] = { 1, 7 }, count, other;
	int err = read_all((const char *)bytes, size, size + 1, whole, &count);
	for (int i = 0; i < 2; i++) {
		if (read_all((const char *)bytes, size, steps[i], cut, &other) != err || count != other)
			abort();
		for (size_t j = 0; j < count; j++) {
			if (!same(whole[j], cut[j]))
				abort();
			il_reply_free(cut[j]);
		}
	}
	for (size_t j = 0; j < count; j++)
		il_reply_free(whole[j]);
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
