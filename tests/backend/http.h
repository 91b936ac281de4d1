/*
 * The HTTP server: one thread a connection, on 127.0.0.1.
 */
#ifndef BACKEND_HTTP_H
#define BACKEND_HTTP_H

#include <microhttpd.h>

#include "backend.h"

/* Listens and answers from now on; fills in the URLs of the backend. NULL: told on standard error.
 */
struct MHD_Daemon *http_start(struct backend *b);

/* Ends every connection; b->stop_fd must be readable by then. */
void http_stop(struct MHD_Daemon *daemon);

#endif
