/*
 * The time by which everything here waits: CLOCK_MONOTONIC, ms; any thread.
 *
 * Alone in its library, so that a test of minutes can be linked with a clock of its own.
 */
#ifndef LIPSYNC_CLOCK_H
#define LIPSYNC_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);

#endif
