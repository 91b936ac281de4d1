/*
 * The one function of a fuzz target. It makes no assumption about the bytes; what it promises of
 * the code under test it checks with fuzz_check, beside what the sanitizers check.
 */
#ifndef LIPSYNC_TESTS_FUZZ_H
#define LIPSYNC_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_ENTRY __attribute__((visibility("default")))

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
