#include "errnos.h"

#include <errno.h>

/* An errno from this machine, if callers understand it as what it is. */
static int local_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EROFS:
    case EBADMSG:
        return error;
    case EDQUOT: /* means "no credits" here */
    case EFBIG:  /* a limit on this process's files, not on uploads */
        return ENOSPC;
    default:
        return EIO;
    }
}

int errnos_of(const struct fault *f)
{
    switch (f->kind) {
    case FAULT_NONE:
        return 0;
    case FAULT_TOKEN:
    case FAULT_CLIENT_ID:
    case FAULT_FORBIDDEN:
        return EACCES;
    case FAULT_CREDITS:
        return EDQUOT;
    case FAULT_TYPE:
        return EOPNOTSUPP;
    case FAULT_TOO_LARGE:
        return EFBIG;
    case FAULT_PLAN:
        return EPERM;
    case FAULT_RATE:
        return EAGAIN;
    case FAULT_UNREACHABLE:
        return EHOSTUNREACH;
    case FAULT_REFUSED:
        return ECONNREFUSED;
    case FAULT_TIMEOUT:
        return ETIMEDOUT;
    case FAULT_SESSION:
    case FAULT_NOT_FOUND:
    case FAULT_SERVER:
    case FAULT_BROKEN:
    case FAULT_AGENT:
    case FAULT_RENDER:
        return EREMOTEIO;
    case FAULT_TLS:
    case FAULT_PROTOCOL:
        return EPROTO;
    case FAULT_LOCAL:
        return local_errno(f->error);
    case FAULT_CANCELLED:
        return ESHUTDOWN;
    }
    return EIO;
}
