#include "fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lookout.h"

enum answer { ANSWER_ERROR, ANSWER_OPEN, ANSWER_BYTES };

struct parked {
    struct later later;
    uint64_t id;
    fuse_req_t req;
    pid_t tid;
    UT_hash_handle hh;

    bool waiting, patient;
    TAILQ_ENTRY(parked) waiting_link;
    TAILQ_ENTRY(parked) link;
    struct parked_list *list;
    struct timer deadline; /* armed: it has one */
    TAILQ_ENTRY(parked) interrupted_link;
    bool interrupted;
    park_give_up_fn *give_up;
    void *owner;

    enum answer answer;
    int error;
    struct fuse_file_info fi;
    char *bytes;
    size_t len;
    struct fs *fs;
};

pid_t park_tid(const struct parked *p)
{
    return p->tid;
}

void *park_owner(const struct parked *p)
{
    return p->owner;
}

struct parked *park_next(const struct parked *p)
{
    return TAILQ_NEXT(p, link);
}

/* libfuse holds the request's own lock here: only take note. */
static void on_interrupt(fuse_req_t req, void *data)
{
    struct fs *fs = fuse_req_userdata(req);
    uint64_t id = (uintptr_t)data;
    struct parked *p;

    fs_lock(fs);
    HASH_FIND(hh, fs->park.by_id, &id, sizeof(id), p);
    if (p && !p->interrupted) {
        p->interrupted = true;
        TAILQ_INSERT_TAIL(&fs->park.interrupted, p, interrupted_link);
        pthread_cond_signal(&fs->park.wake);
    }
    fs_unlock(fs);
}

struct parked *park_begin(struct fs *fs, fuse_req_t req)
{
    struct parked *p = calloc(1, sizeof(*p));
    bool in = false, closing = false;

    if (p) {
        p->fs = fs;
        p->req = req;
        p->tid = fuse_req_ctx(req)->pid;
        fs_lock(fs);
        closing = fs->closing;
        if (!closing && fs->park.count < PARK_MAX) {
            p->id = ++fs->park.last_id;
            HASH_ADD(hh, fs->park.by_id, id, sizeof(p->id), p);
            in = p->hh.tbl != NULL;
            fs->park.count += in;
        }
        fs_unlock(fs);
    }
    if (!in) {
        free(p);
        fuse_reply_err(req, closing ? ESHUTDOWN : ENOMEM);
        return NULL;
    }
    fuse_req_interrupt_func(req, on_interrupt, (void *)(uintptr_t)p->id);
    return p;
}

static void unwait(struct fs *fs, struct parked *p)
{
    if (!p->waiting)
        return;
    TAILQ_REMOVE(p->list, p, link);
    TAILQ_REMOVE(&fs->park.waiting, p, waiting_link);
    timers_stop(&fs->park.deadlines, &p->deadline);
    p->waiting = false;
}

void park_wait(struct fs *fs, struct parked *p, struct parked_list *list, int64_t deadline_ms,
               park_give_up_fn *give_up, void *owner)
{
    unwait(fs, p);
    p->waiting = true;
    p->list = list;
    p->give_up = give_up;
    p->owner = owner;
    TAILQ_INSERT_TAIL(list, p, link);
    TAILQ_INSERT_TAIL(&fs->park.waiting, p, waiting_link);
    if (deadline_ms)
        timers_set(&fs->park.deadlines, &p->deadline, deadline_ms);
    if (timers_first(&fs->park.deadlines) == &p->deadline || p->interrupted)
        pthread_cond_signal(&fs->park.wake);
}

static void send_answer(struct later *l)
{
    struct parked *p = container_of(l, struct parked, later);

    switch (p->answer) {
    case ANSWER_ERROR:
        fuse_reply_err(p->req, p->error);
        break;
    case ANSWER_OPEN:
        /* An opener that was killed meanwhile (-ENOENT) gets no release: the handle is ours. */
        if (fuse_reply_open(p->req, &p->fi) == -ENOENT)
            fs_open_unclaimed(p->fs, p->fi.fh);
        break;
    case ANSWER_BYTES:
        fuse_reply_buf(p->req, p->bytes, p->len);
        break;
    }
    free(p->bytes);
    free(p);
}

static void claim(struct fs *fs, struct parked *p)
{
    unwait(fs, p);
    if (p->interrupted)
        TAILQ_REMOVE(&fs->park.interrupted, p, interrupted_link);
    HASH_DELETE(hh, fs->park.by_id, p);
    fs->park.count--;
    fs_defer(fs, &p->later, send_answer);
}

void park_error(struct fs *fs, struct parked *p, int error)
{
    p->answer = ANSWER_ERROR;
    p->error = error;
    claim(fs, p);
}

void park_open(struct fs *fs, struct parked *p, const struct fuse_file_info *fi)
{
    p->answer = ANSWER_OPEN;
    p->fi = *fi;
    claim(fs, p);
}

void park_bytes(struct fs *fs, struct parked *p, const void *bytes, size_t len)
{
    p->bytes = malloc(len ? len : 1);
    if (!p->bytes) {
        park_error(fs, p, ENOMEM);
        return;
    }
    memcpy(p->bytes, bytes, len);
    p->len = len;
    p->answer = ANSWER_BYTES;
    claim(fs, p);
}

void park_error_all(struct fs *fs, struct parked_list *list, int error)
{
    struct parked *p;

    while ((p = TAILQ_FIRST(list)))
        park_error(fs, p, error);
}

static void give_up(struct fs *fs, struct parked *p, int error)
{
    park_give_up_fn *fn = p->give_up;
    void *owner = p->owner;

    unwait(fs, p);
    if (fn)
        fn(fs, p, owner, error);
    else
        park_error(fs, p, error);
}

void park_set_patient(struct parked *p)
{
    p->patient = true;
}

void park_give_up_all(struct fs *fs, int error, bool patient)
{
    struct parked *p, mark;
    bool again;

    fs_lock(fs);
    fs->closing = true;
    do {
        /* Giving one up may answer others, or let it wait for something else: always the first one,
         * up to a mark, and who stays goes behind it. */
        again = false;
        TAILQ_INSERT_TAIL(&fs->park.waiting, &mark, waiting_link);
        while ((p = TAILQ_FIRST(&fs->park.waiting)) != &mark) {
            if (patient || !p->patient) {
                give_up(fs, p, error);
                again = true;
            } else {
                TAILQ_REMOVE(&fs->park.waiting, p, waiting_link);
                TAILQ_INSERT_TAIL(&fs->park.waiting, p, waiting_link);
            }
        }
        TAILQ_REMOVE(&fs->park.waiting, &mark, waiting_link);
    } while (again);
    fs_unlock(fs);
}

/* The ids of the interrupted requests to look at, so that /proc is read without the lock. */
#define LOOKS_MAX 64
struct looks {
    size_t count;
    struct {
        uint64_t id;
        pid_t tid;
    } look[LOOKS_MAX];
};

static void collect_looks(struct fs *fs, struct looks *looks)
{
    struct parked *p;

    looks->count = 0;
    while (looks->count < LOOKS_MAX && (p = TAILQ_FIRST(&fs->park.interrupted))) {
        /* To the end of the row: each gets its turn. */
        if (looks->count && p->id == looks->look[0].id)
            break;
        TAILQ_REMOVE(&fs->park.interrupted, p, interrupted_link);
        TAILQ_INSERT_TAIL(&fs->park.interrupted, p, interrupted_link);
        looks->look[looks->count].id = p->id;
        looks->look[looks->count++].tid = p->tid;
    }
}

static void look(struct fs *fs, const struct looks *looks)
{
    for (size_t i = 0; i < looks->count; i++) {
        struct parked *p;

        if (lookout_signal(looks->look[i].tid) != CLOSER_SIGNAL_ENDS)
            continue;
        fs_lock(fs);
        HASH_FIND(hh, fs->park.by_id, &looks->look[i].id, sizeof(uint64_t), p);
        if (p && p->waiting)
            give_up(fs, p, EINTR);
        fs_unlock(fs);
    }
}

/* Ends what is over its time; returns the next deadline, 0: none. */
static int64_t expire(struct fs *fs)
{
    int64_t now = clock_ms();
    struct timer *first;

    while ((first = timers_first(&fs->park.deadlines)) && first->due_ms <= now)
        give_up(fs, container_of(first, struct parked, deadline), ETIMEDOUT);
    return first ? first->due_ms : 0;
}

static void *attend(void *arg)
{
    struct fs *fs = arg;
    struct looks looks;
    int64_t next_look = 0;

    fs_lock(fs);
    while (!fs->park.ending) {
        int64_t until = expire(fs);
        bool nagging = !TAILQ_EMPTY(&fs->park.interrupted);

        if (nagging && clock_ms() >= next_look) {
            collect_looks(fs, &looks);
            fs_unlock(fs);
            look(fs, &looks);
            next_look = clock_ms() + PARK_LOOK_MS;
            fs_lock(fs);
            continue;
        }
        if (!STAILQ_EMPTY(&fs->later)) { /* answers of the expired leave first */
            fs_unlock(fs);
            fs_lock(fs);
            continue;
        }
        if (nagging && (!until || next_look < until))
            until = next_look;
        if (until) {
            struct timespec t = {until / 1000, until % 1000 * 1000000};
            pthread_cond_timedwait(&fs->park.wake, &fs->lock, &t);
        } else {
            pthread_cond_wait(&fs->park.wake, &fs->lock);
        }
    }
    fs_unlock(fs);
    return NULL;
}

int park_start(struct fs *fs)
{
    pthread_condattr_t attr;
    int r;

    TAILQ_INIT(&fs->park.waiting);
    TAILQ_INIT(&fs->park.interrupted);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&fs->park.wake, &attr);
    pthread_condattr_destroy(&attr);
    r = pthread_create(&fs->park.attendant, NULL, attend, fs);
    fs->park.running = r == 0;
    return -r;
}

void park_stop(struct fs *fs)
{
    if (!fs->park.running)
        return;
    fs_lock(fs);
    fs->park.ending = true;
    pthread_cond_signal(&fs->park.wake);
    fs_unlock(fs);
    pthread_join(fs->park.attendant, NULL);
    fs->park.running = false;
}
