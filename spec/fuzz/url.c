/* SPDX-License-Identifier: MIT
 *
 * URLs of Redis servers, as a program may get them from anywhere. What is a URL has something to show, which is one
 * too, of the same object, and does not get longer.
 */
#include "fuzz.h"

#include "engines/engine.h"
#include "engines/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *why = NULL;
	struct il_key key;
	char *url = malloc(size + 1), *shown = malloc(size + IL_URL_MORE + 1), *again;
	memcpy(url, bytes, size);
	url[size] = 0;
	int err = il_redis_key(&key, url, shown, &why);
	if (err ? !why : strlen(shown) >= strlen(url) + IL_URL_MORE)
		abort();
	if (!err) {
		again = malloc(strlen(shown) + IL_URL_MORE + 1);
		if (il_redis_key(&key, shown, again, &why) || strcmp(shown, again) != 0) {
			fprintf(stderr, "fuzz: %s shows %s\n", url, shown);
			abort();
		}
		free(again);
	}
	free(url);
	free(shown);
	return 0;
}

void fuzz_examples(void)
{
	static const char *const urls[] = {
		"redis://host/name",
		"redis://user:pass%40word@[::1]:7000/12/a/b?lease=3&timeout=0.5&prefix=x",
		"redis+unix:///run/redis.sock?db=3&name=jobs&prefix=y",
		"redis://:p@h:1/0/7?client_name=x",
		"redis://a:1,b,c/n",
		"redis+sentinel://u:p@a,b:2/master/3/n?prefix=q",
		"rediss://h/n?ca=/a&cert=/b&key=/c&verify=no",
	};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		fuzz_example(urls[i], strlen(urls[i]));
}

void fuzz_end(void)
{
}
