/* Recorded streams. */
#ifndef LIPSYNC_TESTS_FIXTURE_H
#define LIPSYNC_TESTS_FIXTURE_H

#include "unit.h"

/* The whole file; the caller frees it. */
static inline char *read_fixture(const char *name, size_t *len)
{
    enum { SIZE = 1 << 16 };
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", FIXTURES, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: %s", path, strerror(errno));
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    *len = fread(bytes, 1, SIZE, f);
    assert_true(feof(f));
    fclose(f);
    return bytes;
}

#endif
