/*
 * Texts for people: the language, the README of a mount, numbers as people read them.
 */
#ifndef LIPSYNC_WORDS_H
#define LIPSYNC_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Chooses the language of all texts: Chinese for "zh…", else English; NULL: as the environment's
 * locale says. Needs no installed locale but the C library's own. Changes the environment and the
 * locale: first thread only, before any other runs; a later call replaces the choice. */
void words_start(const char *lang);

/* The text of README.txt, malloc'd, the caller frees it; NULL: no memory. */
char *words_readme(bool render_manual, uint64_t max_upload);

/* "0:45", "1:02:03"; rounded to the second, "0:00" for what is negative. */
#define WORDS_DURATION_MAX 32
void words_duration(int64_t ms, char *out, size_t size);

/* "512 B", "42.1 MB": decimal units, one decimal from kB on. */
#define WORDS_SIZE_MAX 32
void words_size(uint64_t bytes, char *out, size_t size);

#endif
