/* Every fault has its errno. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errnos.h"

static const struct {
    enum fault_kind kind;
    int error; /* FAULT_LOCAL */
    int expected;
} table[] = {
    {FAULT_NONE, 0, 0},
    {FAULT_TYPE, 0, EOPNOTSUPP},
    {FAULT_TOO_LARGE, 0, EFBIG},
    {FAULT_CREDITS, 0, EDQUOT},
    {FAULT_TOKEN, 0, EACCES},
    {FAULT_CLIENT_ID, 0, EACCES},
    {FAULT_FORBIDDEN, 0, EACCES},
    {FAULT_PLAN, 0, EPERM},
    {FAULT_RATE, 0, EAGAIN},
    {FAULT_UNREACHABLE, 0, EHOSTUNREACH},
    {FAULT_REFUSED, 0, ECONNREFUSED},
    {FAULT_TIMEOUT, 0, ETIMEDOUT},
    {FAULT_SERVER, 0, EREMOTEIO},
    {FAULT_SESSION, 0, EREMOTEIO},
    {FAULT_NOT_FOUND, 0, EREMOTEIO},
    {FAULT_BROKEN, 0, EREMOTEIO},
    {FAULT_AGENT, 0, EREMOTEIO},
    {FAULT_RENDER, 0, EREMOTEIO},
    {FAULT_PROTOCOL, 0, EPROTO},
    {FAULT_TLS, 0, EPROTO},
    {FAULT_CANCELLED, 0, ESHUTDOWN},
    {FAULT_LOCAL, ENOSPC, ENOSPC},
    {FAULT_LOCAL, ENOMEM, ENOMEM},
    {FAULT_LOCAL, EIO, EIO},
    {FAULT_LOCAL, EDQUOT, ENOSPC}, /* the disk's quota is no lack of credits */
    {FAULT_LOCAL, EFBIG, ENOSPC},
    {FAULT_LOCAL, EINTR, EIO}, /* programs would go round for ever */
    {FAULT_LOCAL, ENOSYS, EIO},
    {FAULT_LOCAL, ENOENT, EIO},
    {FAULT_LOCAL, EAGAIN, EIO},
    {FAULT_LOCAL, 0, EIO},
    {FAULT_LOCAL, -1, EIO},
};

static void faults_have_their_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct fault f = {.kind = table[i].kind, .error = table[i].error};

        assert_int_equal(errnos_of(&f), table[i].expected);
    }
}

static void every_kind_is_an_errno_that_is_safe(void **state)
{
    (void)state;
    for (int kind = FAULT_NONE + 1; kind <= FAULT_CANCELLED; kind++) {
        struct fault f = {.kind = (enum fault_kind)kind};
        int error = errnos_of(&f);

        assert_true(error > 0);
        assert_int_not_equal(error, EINTR);
        assert_int_not_equal(error, ENOSYS);
        assert_int_not_equal(error, ENOENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_have_their_errno),
        cmocka_unit_test(every_kind_is_an_errno_that_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
