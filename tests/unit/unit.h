/* What the tests of the pure parts share. */
#ifndef LIPSYNC_TESTS_UNIT_H
#define LIPSYNC_TESTS_UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string constant and its length, NULs inside included. */
#define BYTES(s) s, sizeof(s) - 1
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A copy that ends where it ends, so that a sanitizer sees every read past it. The caller frees it.
 */
static inline char *exact_copy(const char *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    return copy;
}

#endif
