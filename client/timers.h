/*
 * A queue of deadlines that needs no memory of its own: a pairing heap through the timers
 * themselves.
 *
 * One thread. Setting and stopping cannot fail. A timer that is all zero bytes is idle; it must be
 * stopped before its memory goes. Times are ms of whatever clock the owner of the queue uses.
 */
#ifndef LIPSYNC_TIMERS_H
#define LIPSYNC_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    int64_t due_ms;
    void (*fire)(struct timer *timer);
    bool armed;
    struct timer *child; /* leftmost child */
    struct timer *next;  /* next sibling */
    struct timer *prev;  /* previous sibling, or the parent of a leftmost child */
};

struct timers {
    struct timer *root;
};

/* Arms the timer, or moves it. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due_ms);

void timers_stop(struct timers *timers, struct timer *timer);

/* The earliest one, still armed; NULL: none. */
struct timer *timers_first(const struct timers *timers);

#endif
