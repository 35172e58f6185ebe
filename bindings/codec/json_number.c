/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, see json_number.h. Floor 4.
 */
#include "json_number.h"
#include "base/number.h"
#include "decimal.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char pairs[] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
	"49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
	"9899";

/* Digits before `end`; returns the first of them. */
static char *digits_before(char *end, uint64_t n)
{
	for (; n >= 100; n /= 100) {
		end -= 2;
		memcpy(end, pairs + 2 * (n % 100), 2);
	}
	if (n < 10) {
		*--end = (char)('0' + n);
		return end;
	}
	return memcpy(end - 2, pairs + 2 * n, 2);
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

static char *put(char *text, const char *from, size_t size)
{
	memcpy(text, from, size);
	return text + size;
}

/* d.ddde-05, as printf(3) has it. */
static char *put_scientific(char *p, const char *first, const char *end, int exponent)
{
	char buffer[8], *last = buffer + sizeof buffer;
	*p++ = *first++;
	if (first < end) {
		*p++ = '.';
		p = put(p, first, (size_t)(end - first));
	}
	*p++ = 'e';
	*p++ = exponent < 0 ? '-' : '+';
	if (abs(exponent) < 10)
		*p++ = '0';
	first = digits_before(last, (uint64_t)abs(exponent));
	return put(p, first, (size_t)(last - first));
}

/* The largest and the smallest: by trial. */
static int other_float(char *text, double d)
{
	int length, digits = 15;
	do
		length = il_number_write(text, IL_JSON_NUMBER, digits++, d);
	while (digits <= 17 && il_number_read(text, NULL) != d);
	return length;
}

int il_json_float(char *text, double d)
{
	uint64_t digits;
	int exponent;
	char buffer[IL_JSON_NUMBER], *p = text, *end = buffer + sizeof buffer;
	double size = fabs(d);
	if (size < 1e15 && (double)(int64_t)d == d && d != 0)
		return il_json_integer(text, (lua_Integer)d);
	if (d == 0) { /* "-0" is an integer for some readers */
		strcpy(text, signbit(d) ? "-0.0" : "0");
		return (int)strlen(text);
	}
	if (!il_decimal(size, &digits, &exponent))
		return other_float(text, d);
	if (d < 0)
		*p++ = '-';
	char *first = digits_before(end, digits);
	int magnitude = (int)(end - first) - 1 + exponent;
	if (magnitude < -4 || magnitude >= 15)
		return (int)(put_scientific(p, first, end, magnitude) - text);
	while (end - first <= -exponent)
		*--first = '0';
	p = put(p, first, (size_t)(end - first + exponent));
	*p++ = '.';
	return (int)(put(p, end + exponent, (size_t)-exponent) - text);
}
