/*
 * The program's own options: one table of what each is called, where it may come from, what it is
 * without, and which field of struct options it becomes.
 *
 * First thread, before any other runs. What is wrong is told on stderr; errno is ENOMEM when memory
 * is what lacks, else it says nothing.
 */
#ifndef LIPSYNC_SETTINGS_H
#define LIPSYNC_SETTINGS_H

#include <stddef.h>

struct options;

#define SETTINGS_COUNT 13

/* As in `-o NAME=VALUE`. */
const char *settings_name(size_t index);

/* Sets every field from the texts of the command line (NULL: not given), else from the environment,
 * else from the default; those without a default stay as they are. 0 or -1. */
int settings_apply(struct options *o, char *const texts[SETTINGS_COUNT]);

/* Their part of --help, to stdout. */
void settings_help(void);

#endif
