/*
 * Accounts: client ids, tokens, credits.
 *
 * One anonymous token per client id and token life; a token that expired or was revoked is
 * replaced, and the account (user id, credits) stays. Credits of an edit are frozen while it runs,
 * then taken or given back. Kept in account.json. Safe from every thread.
 */
#ifndef BACKEND_ACCOUNT_H
#define BACKEND_ACCOUNT_H

#include <stdint.h>

#include "backend.h"
#include "ids.h"

struct balance {
    int64_t available;
    int64_t frozen;
};

struct grant {
    char token[ID_MAX];
    char user_id[ID_MAX];
    int64_t expires_ms; /* since the epoch */
    int64_t credits;
};

/* NULL: out of memory, or the record is unreadable (told on standard error). */
struct accounts *accounts_new(struct backend *b);
void accounts_free(struct accounts *a);

/* A token for the client. 0, -EBUSY (it has one that is still good), -ENOMEM, or what writing
 * failed with. */
int accounts_grant(struct accounts *a, const char *client_id, struct grant *out);

/* Whose token it is: the number of the account, or -EACCES. *token_index (may be NULL) tells tokens
 * apart in the order they were granted, -1 if unknown; user_id (may be NULL) gets the user. */
int accounts_find(struct accounts *a, const char *token, int *token_index, char user_id[ID_MAX]);

struct balance accounts_balance(struct accounts *a, int account);

/* Sets the free credits of every account, and of those to come. */
void accounts_set_credits(struct accounts *a, int64_t available);

/* No token granted so far is good any more. */
void accounts_revoke(struct accounts *a);

/* Freezes what an edit costs, or what is left of it; -EDQUOT if nothing is left. The amount. */
int64_t accounts_freeze(struct accounts *a, int account, int64_t cost);

/* The edit of that frozen amount is over: taken if `spend`, given back if not. */
void accounts_settle(struct accounts *a, int account, int64_t amount, bool spend);

#endif
