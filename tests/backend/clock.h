/*
 * Time, and waiting for one of several things with a deadline.
 */
#ifndef BACKEND_CLOCK_H
#define BACKEND_CLOCK_H

#include <stdint.h>

#define CLOCK_NEVER INT64_MAX

int64_t clock_ms(void);       /* monotonic */
int64_t clock_epoch_ms(void); /* since the epoch */

enum wake {
    WAKE_TIME,  /* the deadline is over */
    WAKE_STOP,  /* the server ends */
    WAKE_PEER,  /* the peer of the connection is gone */
    WAKE_RULES, /* the fault rules in force were replaced or deleted */
    WAKE_EVENT, /* the event being waited for */
};

/* What a wait listens to: descriptors, -1 for none. `peer` is a connected socket, the others become
 * readable when their thing happens, and stay so. */
struct wait {
    int stop;
    int peer;
    int rules;
    int event;
};

/* Waits until `deadline_ms` (monotonic) at the latest. The first that applies, in the enum's order
 * from WAKE_STOP on. */
enum wake wait_for(const struct wait *w, int64_t deadline_ms);

#endif
