/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, see number.h. Floor 0.
 */
#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the C library's own memory: to make it cannot fail, and it is not freed. */
static locale_t plain(void)
{
	static locale_t c;
	if (!c)
		c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return c;
}

double il_number_read(const char *text, char **end)
{
	return strtod_l(text, end, plain());
}

/* A thread's locale is its own. */
locale_t il_number_enter(void)
{
	return uselocale(plain());
}

void il_number_leave(locale_t was)
{
	uselocale(was);
}

int il_number_write(char *text, size_t size, int digits, double d)
{
	locale_t was = il_number_enter();
	int n = snprintf(text, size, "%.*g", digits, d);
	il_number_leave(was);
	return n;
}
