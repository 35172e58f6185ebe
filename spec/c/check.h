/* SPDX-License-Identifier: MIT
 *
 * What the C tests share. Each test is a program; it says "ok" and ends with 0, or names the line of the check that
 * failed.
 */
#ifndef IL_CHECK_H
#define IL_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1)))

#endif
