/* SPDX-License-Identifier: MIT
 *
 * Numbers as text, with a point whatever the locale of the program says, also when another thread changes it meanwhile.
 * Floor 0: knows nothing.
 */
#ifndef IL_BASE_NUMBER_H
#define IL_BASE_NUMBER_H

#include <locale.h>
#include <stddef.h>

/* strtod(3). */
double il_number_read(const char *text, char **end);

/* snprintf(3) of "%.{digits}g". */
int il_number_write(char *text, size_t size, int digits, double d);

/* Between the two this thread's numbers have a point, also those of other libraries. */
locale_t il_number_enter(void);
void il_number_leave(locale_t was);

#endif
