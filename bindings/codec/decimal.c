/* SPDX-License-Identifier: MIT
 *
 * See decimal.h. This is Raffaello Giulietti's Schubfach ("The Schubfach way to render doubles", 2020): the interval of
 * the numbers that are rounded to the double is scaled by a power of ten, so that its width is between 1 and 10; then
 * the numbers to choose from are the two integers around the double, and the two multiples of ten. The scaled bounds
 * are rounded to odd, with two bits behind the point, which keeps every comparison exact. Floor 4.
 */
#include "decimal.h"

#include <string.h>

enum { POWERS = 55 };

static const uint64_t LOW63 = INT64_MAX;

/* 10^i as 126 bits, rounded up, in two halves. */
static const struct {
	uint64_t high, low;
} powers[POWERS] = {
	{ 0x4000000000000000, 0x0000000000000001 },
	{ 0x5000000000000000, 0x0000000000000001 },
	{ 0x6400000000000000, 0x0000000000000001 },
	{ 0x7d00000000000000, 0x0000000000000001 },
	{ 0x4e20000000000000, 0x0000000000000001 },
	{ 0x61a8000000000000, 0x0000000000000001 },
	{ 0x7a12000000000000, 0x0000000000000001 },
	{ 0x4c4b400000000000, 0x0000000000000001 },
	{ 0x5f5e100000000000, 0x0000000000000001 },
	{ 0x7735940000000000, 0x0000000000000001 },
	{ 0x4a817c8000000000, 0x0000000000000001 },
	{ 0x5d21dba000000000, 0x0000000000000001 },
	{ 0x746a528800000000, 0x0000000000000001 },
	{ 0x48c2739500000000, 0x0000000000000001 },
	{ 0x5af3107a40000000, 0x0000000000000001 },
	{ 0x71afd498d0000000, 0x0000000000000001 },
	{ 0x470de4df82000000, 0x0000000000000001 },
	{ 0x58d15e1762800000, 0x0000000000000001 },
	{ 0x6f05b59d3b200000, 0x0000000000000001 },
	{ 0x4563918244f40000, 0x0000000000000001 },
	{ 0x56bc75e2d6310000, 0x0000000000000001 },
	{ 0x6c6b935b8bbd4000, 0x0000000000000001 },
	{ 0x43c33c1937564800, 0x0000000000000001 },
	{ 0x54b40b1f852bda00, 0x0000000000000001 },
	{ 0x69e10de76676d080, 0x0000000000000001 },
	{ 0x422ca8b0a00a4250, 0x0000000000000001 },
	{ 0x52b7d2dcc80cd2e4, 0x0000000000000001 },
	{ 0x6765c793fa10079d, 0x0000000000000001 },
	{ 0x409f9cbc7c4a04c2, 0x1000000000000001 },
	{ 0x50c783eb9b5c85f2, 0x5400000000000001 },
	{ 0x64f964e68233a76f, 0x2900000000000001 },
	{ 0x7e37be2022c0914b, 0x1340000000000001 },
	{ 0x4ee2d6d415b85ace, 0x7c08000000000001 },
	{ 0x629b8c891b267182, 0x5b0a000000000001 },
	{ 0x7b426fab61f00de3, 0x31cc800000000001 },
	{ 0x4d0985cb1d3608ae, 0x0f1fd00000000001 },
	{ 0x604be73de4838ad9, 0x52e7c40000000001 },
	{ 0x785ee10d5da46d90, 0x07a1b50000000001 },
	{ 0x4b3b4ca85a86c47a, 0x04c5112000000001 },
	{ 0x5e0a1fd271287598, 0x45f6556800000001 },
	{ 0x758ca7c70d7292fe, 0x5773eac200000001 },
	{ 0x4977e8dc68679bdf, 0x16a872b940000001 },
	{ 0x5bd5e313828182d6, 0x7c528f6790000001 },
	{ 0x72cb5bd86321e38c, 0x5b67334174000001 },
	{ 0x47bf19673df52e37, 0x79208008e8800001 },
	{ 0x59aedfc10d7279c5, 0x7768a00b22a00001 },
	{ 0x701a97b150cf1837, 0x3542c80deb480001 },
	{ 0x46109eced2816f22, 0x5149bd08b30d0001 },
	{ 0x5794c6828721caeb, 0x259c2c4adfd04001 },
	{ 0x6d79f82328ea3da6, 0x0f03375d97c45001 },
	{ 0x446c3b15f9926687, 0x6962029a7edab201 },
	{ 0x558749db77f70029, 0x63ba83411e915e81 },
	{ 0x6ae91c5255f4c034, 0x1ca924116635b621 },
	{ 0x42d1b1b375b8f820, 0x51e9b68adfe191d5 },
	{ 0x53861e2053273628, 0x6664242d97d9f64a },
};

static int log10_of_power_of_2(int64_t exponent)
{
	return (int)(exponent * 661971961083 >> 41);
}

static int log10_of_3_quarters(int64_t exponent)
{
	return (int)((exponent * 661971961083 - 274743187321) >> 41);
}

static int log2_of_power_of_10(int64_t exponent)
{
	return (int)(exponent * 913124641741 >> 38);
}

static uint64_t product_high(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	return (uint64_t)((unsigned __int128)a * b >> 64);
#else
	uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
	uint64_t first = a_high * b_low + (a_low * b_low >> 32), second = a_low * b_high + (uint32_t)first;
	return a_high * b_high + (first >> 32) + (second >> 32);
#endif
}

/* scaled × 10^power / 2^127, rounded to odd. */
static uint64_t multiply(int power, uint64_t scaled)
{
	uint64_t high = powers[power].high;
	uint64_t z = (high * scaled >> 1) + product_high(powers[power].low, scaled);
	return (product_high(high, scaled) + (z >> 63)) | (((z & LOW63) + LOW63) >> 63);
}

/* What is read as the double, times 4; and the double. */
struct bounds {
	uint64_t below, value, above;
};

static bool one_within(const struct bounds *b, uint64_t lower, uint64_t upper, uint64_t *digits)
{
	bool has_lower = b->below <= lower << 2, has_upper = upper << 2 <= b->above;
	*digits = has_lower ? lower : upper;
	return has_lower != has_upper;
}

static uint64_t choose(const struct bounds *b)
{
	uint64_t lower = b->value >> 2, tens = lower / 10 * 10, middle = 4 * lower + 2, digits;
	if (one_within(b, tens, tens + 10, &digits) || one_within(b, lower, lower + 1, &digits))
		return digits;
	return b->value < middle || (b->value == middle && lower % 2 == 0) ? lower : lower + 1;
}

bool il_decimal(double d, uint64_t *digits, int *exponent)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	int q = (int)(bits >> 52) - 1075;
	if (q > 0 || q < -178)
		return false;
	uint64_t fraction = bits & (((uint64_t)1 << 52) - 1), c = 4 * (fraction | (uint64_t)1 << 52);
	unsigned odd = bits & 1; /* of an even double the bounds belong to it */
	int k = fraction ? log10_of_power_of_2(q) : log10_of_3_quarters(q); /* a power of 2: closer to the one below */
	int shift = q + log2_of_power_of_10(-k) + 2;
	struct bounds b = {
		.below = multiply(-k, (c - (fraction ? 2 : 1)) << shift) + odd,
		.value = multiply(-k, c << shift),
		.above = multiply(-k, (c + 2) << shift) - odd,
	};
	uint64_t n = choose(&b);
	if (n % 100000000 == 0) {
		n /= 100000000;
		k += 8;
	}
	for (; n % 10 == 0; k++)
		n /= 10;
	*digits = n;
	*exponent = k;
	return true;
}
