/* SPDX-License-Identifier: MIT
 *
 * What a fuzz target is: libFuzzer's one function, and three more for driver.c, which stands in for libFuzzer.
 * A target aborts when it finds a fault that no sanitizer would.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The target calls fuzz_example for each input to begin with. */
void fuzz_examples(void);
void fuzz_example(const void *bytes, size_t size);

/* The target lets go of what it holds, for the leak check. */
void fuzz_end(void);

#endif
