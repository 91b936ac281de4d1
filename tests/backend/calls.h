/*
 * The calls of the protocol: each fills in the answer to a request whose body has come whole and
 * whose token, where one is needed, is good.
 */
#ifndef BACKEND_CALLS_H
#define BACKEND_CALLS_H

#include "request.h"

/* calls.c */
void call_token(struct request *r, struct answer *a);
void call_session(struct request *r, struct answer *a);
void call_claim(struct request *r, struct answer *a);
void call_state(struct request *r, struct answer *a);
void call_credits(struct request *r, struct answer *a);
void call_unknown(struct request *r, struct answer *a);

/* upload.c */
void call_upload(struct request *r, struct answer *a);

/* message.c */
void call_message(struct request *r, struct answer *a);

/* export.c */
void call_render(struct request *r, struct answer *a);
void call_poll(struct request *r, struct answer *a);
void call_download(struct request *r, struct answer *a);

/* media.c */
void call_input(struct request *r, struct answer *a);
void call_output(struct request *r, struct answer *a);

/* The file as the answer, with Range; takes over `fd`. */
void media_answer(struct request *r, struct answer *a, int fd, const char *mime, const char *tag);

/* control.c */
void control_requests(struct request *r, struct answer *a);
void control_forget_requests(struct request *r, struct answer *a);
void control_files(struct request *r, struct answer *a);
void control_sessions(struct request *r, struct answer *a);
void control_forget_session(struct request *r, struct answer *a);
void control_renders(struct request *r, struct answer *a);
void control_credits(struct request *r, struct answer *a);
void control_revoke(struct request *r, struct answer *a);
void control_set_faults(struct request *r, struct answer *a);
void control_clear_faults(struct request *r, struct answer *a);

#endif
