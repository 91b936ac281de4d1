/*
 * The time by which the client waits: CLOCK_MONOTONIC, ms; any thread.
 *
 * Alone in its file, so that a test of minutes can be linked with a clock of its own.
 */
#ifndef LIPSYNC_CLOCK_H
#define LIPSYNC_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);

#endif
