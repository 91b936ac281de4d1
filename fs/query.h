/*
 * Questions to the backend that many may ask at once: a session's state, the balance.
 *
 * Queries of the same thing that begin within QUERY_SHARE_MS share one exchange and one answer,
 * unless something changed meanwhile. Every answer becomes the last one, also when nobody waits for
 * it any more; an older question's answer never replaces a newer one's. All functions need
 * fs->lock.
 */
#ifndef LIPSYNCFS_QUERY_H
#define LIPSYNCFS_QUERY_H

#include "bytes.h"
#include "fs.h"

#define QUERY_SHARE_MS 1000
#define QUERY_OPEN_MS 3000 /* what an open() waits */
#define QUERY_DOWN_MS 5000 /* failing at once after nobody answered */

struct state_news; /* session.h */

/* One who waits. Embedded. */
struct query_wait {
    TAILQ_ENTRY(query_wait) link;
    struct query_run *run; /* NULL: not waiting */
    /* `news`: of the state (NULL for the balance and on a fault), valid during the call */
    void (*done)(struct fs *fs, struct query_wait *w, const struct fault *f,
                 const struct state_news *news);
};

/* Starts or joins a query; w->done comes later, exactly once, unless query_leave was called. `w`
 * may be NULL: a refresh in the background. */
void query_state(struct session *s, struct query_wait *w);
void query_balance(struct fs *fs, struct query_wait *w);
void query_leave(struct query_wait *w);

/* What a running query will say may be outdated: it is not shared any more. */
void query_state_changed(struct session *s);
void query_balance_changed(struct fs *fs);

/* A newer state came by another way: answers to older questions do not replace it. */
void query_state_taken(struct session *s);

/* The session is going: forgets its newest query. */
void query_drop(struct session *s);

/* Has the backend just been found not to answer? */
bool query_is_down(const struct fs *fs);
void query_set_down(struct fs *fs);

/* The text of `credits` from the last answer: NULL if none came yet or no memory. */
struct bytes *query_credits_text(const struct fs *fs);

#endif
