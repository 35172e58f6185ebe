/* SPDX-License-Identifier: MIT
 *
 * The shortest decimal number that is read back as a given double. Floor 4.
 */
#ifndef IL_DECIMAL_H
#define IL_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/* d is digits × 10^exponent to every reader that rounds correctly: no number with fewer digits is, and of those with as
 * many this is the nearest. The last digit is no zero. False: d is not within 2^-126 and 2^53. */
bool il_decimal(double d, uint64_t *digits, int *exponent);

#endif
