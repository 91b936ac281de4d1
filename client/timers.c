#include "timers.h"

#include <stddef.h>

/* Both are roots (or NULL); the later one becomes the leftmost child of the earlier. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->due_ms < a->due_ms) {
        struct timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Melds a list of siblings in pairs, then the pairs from the last to the first: amortized O(log n).
 */
static struct timer *meld_siblings(struct timer *list)
{
    struct timer *pairs = NULL, *root = NULL;

    while (list) {
        struct timer *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct timer *a = pairs;
        pairs = a->next;
        a->next = NULL;
        root = meld(root, a);
    }
    return root;
}

void timers_stop(struct timers *timers, struct timer *timer)
{
    if (!timer->armed)
        return;

    struct timer *below = meld_siblings(timer->child);
    if (timer == timers->root) {
        timers->root = below;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        timers->root = meld(timers->root, below);
    }
    timer->child = timer->next = timer->prev = NULL;
    timer->armed = false;
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_ms)
{
    timers_stop(timers, timer);
    timer->due_ms = due_ms;
    timer->armed = true;
    timers->root = meld(timers->root, timer);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->root;
}
