/* Programs by the name of their process, whichever thread asks and whatever that one is called. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sniffers.h"

static void call_me(const char *name)
{
    assert_int_equal(prctl(PR_SET_NAME, name), 0);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool sniffs;
    } rows[] = {
        {"pcmanfm", true},
        {"dolphin", true},
        {"pcmanfm2", false},
        {"pcmanf", false},
        {"", false},
        {"Dolphin", false},
        {"dolphin\nx", false},
        {"x\ndolphin", false},
        {"cat", false},
        {"pool-pcmanfm", false},
        {"Tgid:\t1\nTgid:", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        call_me(rows[i].name);
        assert_int_equal(sniffers_look(getpid()), rows[i].sniffs);
    }
}

struct thread {
    pid_t tid;
    sem_t named, done;
};

static void *be_called_otherwise(void *user)
{
    struct thread *t = user;

    call_me("pool");
    t->tid = gettid();
    sem_post(&t->named);
    sem_wait(&t->done);
    return NULL;
}

static void test_a_thread_of_it(void **state)
{
    pthread_t thread;
    struct thread t;

    (void)state;
    sem_init(&t.named, 0, 0);
    sem_init(&t.done, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, be_called_otherwise, &t), 0);
    sem_wait(&t.named);
    call_me("dolphin");
    assert_true(sniffers_look(t.tid));
    call_me("cat");
    assert_false(sniffers_look(t.tid));
    sem_post(&t.done);
    pthread_join(thread, NULL);
}

static void test_nobody(void **state)
{
    pid_t gone = fork();

    (void)state;
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    assert_false(sniffers_look(gone));
    assert_false(sniffers_look(0));
    assert_false(sniffers_look(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_thread_of_it),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
