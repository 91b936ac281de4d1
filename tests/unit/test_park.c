/* Requests that wait, up to as many as there may be, with the kernel's side played here. */
#include "unit.h"

#include <pthread.h>

#include "fs.h"
#include "lookout.h"

struct fuse_req {
    struct fuse_ctx ctx;
    unsigned answers;
    int error; /* of the answer */
    fuse_interrupt_func_t interrupt;
    void *data;
};

static struct fs fs;
static struct options options;
static struct parked_list list;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static enum closer_signal signal_told;
static unsigned looks;

/* ---- in place of libfuse's, and of the lookout's ---- */

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
    return &req->ctx;
}

void *fuse_req_userdata(fuse_req_t req)
{
    (void)req;
    return &fs;
}

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t fn, void *data)
{
    req->interrupt = fn;
    req->data = data;
}

int fuse_reply_err(fuse_req_t req, int error)
{
    pthread_mutex_lock(&lock);
    req->answers++;
    req->error = error;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
    (void)fi;
    return fuse_reply_err(req, 0);
}

int fuse_reply_buf(fuse_req_t req, const char *data, size_t size)
{
    (void)data;
    (void)size;
    return fuse_reply_err(req, 0);
}

void fs_open_unclaimed(struct fs *f, uint64_t handle)
{
    (void)f;
    (void)handle;
    fail(); /* every open here has somebody who wants it */
}

enum closer_signal lookout_signal(pid_t tid)
{
    enum closer_signal told;

    (void)tid;
    pthread_mutex_lock(&lock);
    looks++;
    told = signal_told;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return told;
}

/* ---- what the tests do ---- */

static struct parked *wait_in_list(struct fuse_req *req, int64_t deadline_ms)
{
    struct parked *p = park_begin(&fs, req);

    if (!p)
        return NULL;
    fs_lock(&fs);
    park_wait(&fs, p, &list, deadline_ms, NULL, NULL);
    fs_unlock(&fs);
    return p;
}

static void await_answer(struct fuse_req *req)
{
    pthread_mutex_lock(&lock);
    while (!req->answers)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int setup(void **state)
{
    (void)state;
    TAILQ_INIT(&list);
    signal_told = CLOSER_SIGNAL_NONE;
    return fs_init(&fs, &options) || park_start(&fs);
}

static int teardown(void **state)
{
    (void)state;
    park_stop(&fs);
    free(fs.readme);
    return 0;
}

/* ---- tests ---- */

static void test_as_many_as_there_may_be(void **state)
{
    struct fuse_req *reqs = calloc(PARK_MAX + 2, sizeof(*reqs));

    (void)state;
    assert_non_null(reqs);
    for (size_t i = 0; i < PARK_MAX; i++)
        assert_non_null(wait_in_list(&reqs[i], i % 2 ? clock_ms() + 3600 * 1000 : 0));
    assert_null(wait_in_list(&reqs[PARK_MAX], 0));
    assert_int_equal(reqs[PARK_MAX].error, ENOMEM);

    /* One that leaves makes room for one. */
    fs_lock(&fs);
    park_error(&fs, TAILQ_FIRST(&list), EIO);
    fs_unlock(&fs);
    assert_int_equal(reqs[0].error, EIO);
    assert_non_null(wait_in_list(&reqs[PARK_MAX + 1], 0));
    assert_null(park_begin(&fs, &(struct fuse_req){0}));

    park_give_up_all(&fs, ESHUTDOWN, true);
    assert_true(TAILQ_EMPTY(&list));
    assert_int_equal(fs.park.count, 0);
    for (size_t i = 0; i < PARK_MAX + 2; i++)
        assert_int_equal(reqs[i].answers, 1);
    assert_int_equal(reqs[PARK_MAX + 1].error, ESHUTDOWN);

    /* Nobody waits any more. */
    memset(&reqs[0], 0, sizeof(reqs[0]));
    assert_null(park_begin(&fs, &reqs[0]));
    assert_int_equal(reqs[0].error, ESHUTDOWN);
    free(reqs);
}

/* Uploads wait, and a deadline comes for each of as many others: none looks at all the rest. */
static void test_ends_among_many(void **state)
{
    struct fuse_req *reqs = calloc(PARK_MAX, sizeof(*reqs));
    size_t half = PARK_MAX / 2;
    int64_t soon;

    (void)state;
    assert_non_null(reqs);
    for (size_t i = 0; i < half; i++) {
        struct parked *p = wait_in_list(&reqs[i], 0);

        fs_lock(&fs);
        park_set_patient(p);
        fs_unlock(&fs);
    }
    for (size_t i = half; i < PARK_MAX; i++)
        assert_non_null(wait_in_list(&reqs[i], clock_ms() + 3600 * 1000));
    park_give_up_all(&fs, ESHUTDOWN, false);
    assert_int_equal(fs.park.count, half);

    fs_lock(&fs);
    soon = clock_ms() + 20;
    for (size_t i = 0; i < half; i++)
        park_wait(&fs, TAILQ_FIRST(&list), &list, soon + (int64_t)(i * 7919 % 997), NULL, NULL);
    fs_unlock(&fs);
    for (size_t i = 0; i < half; i++)
        await_answer(&reqs[i]);
    park_give_up_all(&fs, ESHUTDOWN, true);
    assert_int_equal(fs.park.count, 0);
    for (size_t i = 0; i < PARK_MAX; i++) {
        assert_int_equal(reqs[i].answers, 1);
        assert_int_equal(reqs[i].error, i < half ? ETIMEDOUT : ESHUTDOWN);
    }
    free(reqs);
}

static void test_deadlines(void **state)
{
    struct fuse_req late = {0}, soon = {0}, never = {0};
    int64_t now = clock_ms();

    (void)state;
    wait_in_list(&never, 0);
    wait_in_list(&late, now + 40);
    wait_in_list(&soon, now + 20);
    await_answer(&soon);
    await_answer(&late);
    assert_true(clock_ms() >= now + 40);
    assert_int_equal(soon.error, ETIMEDOUT);
    assert_int_equal(late.error, ETIMEDOUT);
    assert_int_equal(never.answers, 0);
    park_give_up_all(&fs, ESHUTDOWN, true);
    assert_int_equal(late.answers + soon.answers + never.answers, 3);
}

static void test_only_signals_that_end_interrupt(void **state)
{
    struct fuse_req req = {0};
    unsigned before;

    (void)state;
    wait_in_list(&req, 0);
    req.interrupt(&req, req.data);
    pthread_mutex_lock(&lock);
    before = looks;
    while (looks < before + 3) /* again and again: the next signal may be another */
        pthread_cond_wait(&changed, &lock);
    assert_int_equal(req.answers, 0);
    signal_told = CLOSER_SIGNAL_ENDS;
    pthread_mutex_unlock(&lock);
    await_answer(&req);
    assert_int_equal(req.error, EINTR);
    req.interrupt(&req, req.data); /* libfuse may be late with it */
    assert_int_equal(fs.park.count, 0);
    assert_int_equal(req.answers, 1);
}

static void test_patient_ones_stay(void **state)
{
    struct fuse_req reader = {0}, closer = {0};
    struct parked *p;

    (void)state;
    p = wait_in_list(&closer, 0);
    fs_lock(&fs);
    park_set_patient(p);
    fs_unlock(&fs);
    wait_in_list(&reader, 0);
    park_give_up_all(&fs, ESHUTDOWN, false);
    assert_int_equal(reader.error, ESHUTDOWN);
    assert_int_equal(closer.answers, 0);
    park_give_up_all(&fs, ESHUTDOWN, true);
    assert_int_equal(closer.error, ESHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_many_as_there_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends_among_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_signals_that_end_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_patient_ones_stay, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
