/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, see json_number.h. Most floats have few digits, and a quotient of two exact doubles finds them; only
 * for the others it takes the C library. Floor 4.
 */
#include "json_number.h"
#include "base/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Digits before `end`; returns the first of them. */
static char *digits_before(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

int il_json_integer(char *text, lua_Integer n)
{
	char digits[24], *end = digits + sizeof digits;
	char *p = digits_before(end, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
	if (n < 0)
		*--p = '-';
	memcpy(text, p, (size_t)(end - p));
	return (int)(end - p);
}

static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
	1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Whether d, from 1e-5 to 1e15, is the double nearest to digits / 10^places for some digits, 15 at most. Both are exact
 * doubles, so their quotient is rounded once, as by strtod, and equality proves it; the digits are the right ones to
 * try, for the error of the product is below one half. */
static bool decimal(double d, uint64_t *digits, int *places)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	int exponent = (int)(bits >> 52) - 1023;
	int k = 14 - ((exponent * 1233) >> 12); /* 1233/4096 is log10(2), nearly */
	if (d * powers[k] >= 1e15)
		k--;
	double n = rint(d * powers[k]);
	*digits = (uint64_t)n;
	*places = k;
	return n / powers[k] == d;
}

int il_json_float(char *text, double d)
{
	uint64_t digits;
	int places;
	char buffer[IL_JSON_NUMBER], *p = text, *end = buffer + sizeof buffer;
	double size = fabs(d);
	if (size < 1e15 && (double)(int64_t)d == d && d != 0)
		return il_json_integer(text, (lua_Integer)d);
	if (d == 0) { /* "-0" is an integer for some readers */
		strcpy(text, signbit(d) ? "-0.0" : "0");
		return (int)strlen(text);
	}
	bool near = size >= 1e-5 && size < 1e15;
	if (!near || !decimal(size, &digits, &places)) {
		int length = il_number_write(text, IL_JSON_NUMBER, near ? 17 : 15, d);
		if (!near && il_number_read(text, NULL) != d)
			length = il_number_write(text, IL_JSON_NUMBER, 17, d);
		return length;
	}
	for (; digits % 10 == 0; places--)
		digits /= 10;
	char *first = digits_before(end, digits);
	while (end - first <= places)
		*--first = '0';
	if (d < 0)
		*p++ = '-';
	size_t whole = (size_t)(end - first - places);
	memcpy(p, first, whole);
	p[whole] = '.';
	memcpy(p + whole + 1, first + whole, (size_t)places);
	return (int)(p + whole + 1 + places - text);
}
