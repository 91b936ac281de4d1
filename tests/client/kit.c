#include "kit.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char logged[1 << 20];
static size_t logged_len;

static void on_log(const char *line)
{
    pthread_mutex_lock(&lock);
    int n = snprintf(logged + logged_len, sizeof logged - logged_len, "%s\n", line);
    if (n > 0 && logged_len + (size_t)n < sizeof logged)
        logged_len += (size_t)n;
    pthread_mutex_unlock(&lock);
    if (getenv("KIT_LOG"))
        fprintf(stderr, "%s\n", line);
}

void kit_log_lacks(const char *secret)
{
    pthread_mutex_lock(&lock);
    assert_null(strstr(logged, secret));
    pthread_mutex_unlock(&lock);
}

int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the kit ---- */

void kit_setup(struct kit *k)
{
    memset(k, 0, sizeof *k);
    k->peer = peer_new();
    strcpy(k->dir, "/tmp/lipsync-client-XXXXXX");
    assert_non_null(mkdtemp(k->dir));
    snprintf(k->id_path, sizeof k->id_path, "%s/config/nemovideo/client_id", k->dir);
    snprintf(k->token_path, sizeof k->token_path, "%s/token", k->dir);
    k->options = (struct client_options){
        .api_url = peer_url(k->peer),
        .web_url = "https://web.example",
        .platform = "unknown",
        .client_id_path = k->id_path,
        .token_path = k->token_path,
        .poll_ms = 20,
        .retry_wait_ms = 60,
        .quiet_ms = 60000,
        .turn_timeout_ms = 30000,
        .render_timeout_ms = 30000,
        .log = on_log,
    };
}

void kit_client(struct kit *k)
{
    int err = 0;

    client_free(k->client);
    k->client = client_new(&k->options, &err);
    assert_int_equal(err, 0);
    assert_non_null(k->client);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void kit_teardown(struct kit *k)
{
    client_free(k->client);
    peer_free(k->peer);
    nftw(k->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int kit_begin(void **state)
{
    struct kit *k = calloc(1, sizeof *k);

    kit_setup(k);
    kit_client(k);
    *state = k;
    return 0;
}

int kit_end(void **state)
{
    kit_teardown(*state);
    free(*state);
    return 0;
}

int kit_file(struct kit *k, const char *name, size_t size, uint64_t *sum)
{
    char path[256];
    char *bytes = malloc(size ? size : 1);
    uint64_t x = 88172645463325252ull;

    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (char)x;
    }
    snprintf(path, sizeof path, "%s/%s", k->dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    if (sum)
        *sum = peer_sum(bytes, size);
    free(bytes);
    return fd;
}

char *kit_read(const char *path, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    assert_int_equal(fstat(fd, &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
    close(fd);
    if (len)
        *len = (size_t)st.st_size;
    return text;
}

/* ---- what was told ---- */

static struct told *enter(void *user)
{
    pthread_mutex_lock(&lock);
    return user;
}

static void leave(void)
{
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void add_text(struct told *t, const char *text, size_t len)
{
    if (len > sizeof t->text - 1 - t->text_len)
        len = sizeof t->text - 1 - t->text_len;
    if (text)
        memcpy(t->text + t->text_len, text, len);
    t->text_len += len;
}

static void end(struct told *t, const struct fault *f)
{
    t->ends++;
    t->fault = *f;
    t->ended_ms = now_ms();
}

static struct timespec deadline(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

void told_wait(struct told *t)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&lock);
    while (!t->ends && !err)
        err = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(err, 0);
}

void told_wait_order(struct told *t, const char *beginning)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&lock);
    while (strncmp(t->before_end, beginning, strlen(beginning)) && !err)
        err = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(err, 0);
}

void told_wait_event(struct told *t, char what)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&lock);
    while (!strchr(t->before_end, what) && !err)
        err = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(err, 0);
}

size_t told_wait_text(struct told *t, size_t len)
{
    struct timespec until = deadline();
    int err = 0;

    pthread_mutex_lock(&lock);
    while (t->text_len < len && !err)
        err = pthread_cond_timedwait(&changed, &lock, &until);
    len = t->text_len;
    pthread_mutex_unlock(&lock);
    assert_int_equal(err, 0);
    return len;
}

bool told_ended(struct told *t)
{
    pthread_mutex_lock(&lock);
    bool ended = t->ends;
    pthread_mutex_unlock(&lock);
    return ended;
}

void told_session(void *user, const struct fault *f, const struct client_session *s)
{
    struct told *t = enter(user);

    if (s)
        add_text(t, s->session_id, strlen(s->session_id));
    end(t, f);
    leave();
}

void told_link(void *user, const struct fault *f, const char *url, int expires_in_s)
{
    struct told *t = enter(user);

    if (url)
        add_text(t, url, strlen(url));
    t->number[0] = expires_in_s;
    end(t, f);
    leave();
}

void told_upload(void *user, const struct fault *f, const char *url)
{
    struct told *t = enter(user);

    if (url)
        add_text(t, url, strlen(url));
    end(t, f);
    leave();
}

static void progress(struct told *t, uint64_t now, uint64_t total)
{
    t->progress++;
    t->most = now > t->most ? now : t->most;
    t->total = total;
}

void told_upload_progress(void *user, uint64_t sent, uint64_t total)
{
    progress(enter(user), sent, total);
    leave();
}

void told_state(void *user, const struct fault *f, const char *state, size_t len)
{
    struct told *t = enter(user);

    add_text(t, state, len);
    end(t, f);
    leave();
}

void told_balance(void *user, const struct fault *f, const struct client_balance *b)
{
    struct told *t = enter(user);

    if (b) {
        t->number[0] = b->available;
        t->number[1] = b->frozen;
        t->number[2] = b->total;
    }
    end(t, f);
    leave();
}

void told_done(void *user, const struct fault *f)
{
    end(enter(user), f);
    leave();
}

void told_render(void *user, const struct fault *f, const char *url)
{
    struct told *t = enter(user);

    if (url)
        add_text(t, url, strlen(url));
    end(t, f);
    leave();
}

void told_render_progress(void *user, int percent, bool late)
{
    struct told *t = enter(user);

    t->progress++;
    t->number[0] = percent;
    t->late |= late;
    leave();
}

void told_download(void *user, const struct fault *f, uint64_t size)
{
    struct told *t = enter(user);

    t->number[0] = (int64_t)size;
    end(t, f);
    leave();
}

void told_download_progress(void *user, uint64_t received, uint64_t total)
{
    progress(enter(user), received, total);
    leave();
}

static void event(struct told *t, char what)
{
    size_t len = strlen(t->before_end);

    /* Pieces of one text are one event. */
    if (len + 1 < sizeof t->before_end && !(what == 'x' && len && t->before_end[len - 1] == 'x'))
        t->before_end[len] = what;
}

static void on_taken(void *user)
{
    event(enter(user), 'T');
    leave();
}

static void on_text(void *user, const char *text, size_t len)
{
    struct told *t = enter(user);

    event(t, 'x');
    add_text(t, text, len);
    leave();
}

static void on_notice(void *user, enum turn_notice notice)
{
    event(enter(user), "qbr"[notice]);
    leave();
}

static void on_done(void *user, const struct fault *f, const struct turn_result *r)
{
    struct told *t = enter(user);

    event(t, 'D');
    t->result = *r;
    if (r->state && r->state_len < sizeof t->text2)
        memcpy(t->text2, r->state, r->state_len);
    end(t, f);
    leave();
}

const struct turn_events told_turn = {on_taken, on_text, on_notice, on_done};
