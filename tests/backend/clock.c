#include "clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

static int64_t ms_of(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return ms_of(CLOCK_MONOTONIC);
}

int64_t clock_epoch_ms(void)
{
    return ms_of(CLOCK_REALTIME);
}

enum wake wait_for(const struct wait *w, int64_t deadline_ms)
{
    struct pollfd p[] = {
        {.fd = w->stop, .events = POLLIN},
        {.fd = w->peer, .events = POLLRDHUP},
        {.fd = w->rules, .events = POLLIN},
        {.fd = w->event, .events = POLLIN},
    };
    static const enum wake wakes[] = {WAKE_STOP, WAKE_PEER, WAKE_RULES, WAKE_EVENT};

    for (;;) {
        int timeout = -1;
        if (deadline_ms != CLOCK_NEVER) {
            int64_t left = deadline_ms - clock_ms();
            timeout = left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
        }
        int n = poll(p, 4, timeout);
        if (n == 0 && timeout != INT_MAX)
            return WAKE_TIME;
        if (n < 0 && errno != EINTR)
            return WAKE_STOP;
        for (int i = 0; n > 0 && i < 4; i++) {
            if (p[i].revents)
                return wakes[i];
        }
    }
}
