/*
 * Random identifiers, in the spellings that the protocol shows.
 */
#ifndef BACKEND_IDS_H
#define BACKEND_IDS_H

#include <stdbool.h>
#include <stddef.h>

#define ID_MAX 96 /* bytes, with the NUL */

/* 19 decimal digits, the first one 7: more than a double holds. */
void id_decimal(char out[ID_MAX]);

/* The prefix and `digits` (even, at most 64) hexadecimal digits. */
void id_hex(char out[ID_MAX], const char *prefix, size_t digits);

/* Letters, digits, '_', '-' only, 1 to ID_MAX - 1 of them: fit for a file name. */
bool id_is_plain(const char *text);

#endif
