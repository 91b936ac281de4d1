#include "account.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct account {
    char client_id[128]; /* "": a registered user */
    char user_id[ID_MAX];
    char token[ID_MAX * 3];
    int token_index;
    bool revoked;
    int64_t expires_ms; /* since the epoch; CLOCK_NEVER for registered users */
    struct balance balance;
};

struct accounts {
    struct backend *b;
    pthread_mutex_t lock;
    struct account *list;
    int count;
    int tokens_granted;
    int64_t new_credits;
};

static void save_one(cJSON *list, const struct account *a)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "client_id", a->client_id);
    cJSON_AddStringToObject(o, "user_id", a->user_id);
    cJSON_AddStringToObject(o, "token", a->token);
    cJSON_AddNumberToObject(o, "token_index", a->token_index);
    cJSON_AddBoolToObject(o, "revoked", a->revoked);
    cJSON_AddNumberToObject(o, "expires_ms",
                            a->expires_ms == CLOCK_NEVER ? -1 : (double)a->expires_ms);
    /* What is frozen belongs to an edit of this process: the next one gives it back. */
    cJSON_AddNumberToObject(o, "available", (double)(a->balance.available + a->balance.frozen));
    cJSON_AddItemToArray(list, o);
}

/* With the lock held. */
static int save(struct accounts *a)
{
    char path[STORE_PATH_MAX];
    cJSON *root = cJSON_CreateObject();

    cJSON_AddNumberToObject(root, "tokens_granted", a->tokens_granted);
    cJSON_AddNumberToObject(root, "new_credits", (double)a->new_credits);
    cJSON *list = cJSON_AddArrayToObject(root, "accounts");
    for (int i = 0; i < a->count; i++)
        save_one(list, &a->list[i]);
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    if (!text)
        return -ENOMEM;
    store_path(&a->b->store, path, "account.json");
    int err = store_write(&a->b->store, path, text, strlen(text));
    free(text);
    return err;
}

static struct account *add(struct accounts *a)
{
    struct account *list = reallocarray(a->list, (size_t)a->count + 1, sizeof(*list));

    if (!list)
        return NULL;
    a->list = list;
    struct account *one = &list[a->count++];
    memset(one, 0, sizeof(*one));
    one->token_index = -1;
    return one;
}

static void copy(char *out, size_t size, const cJSON *o, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(o, key));

    snprintf(out, size, "%s", text ? text : "");
}

static int64_t number(const cJSON *o, const char *key, int64_t otherwise)
{
    const cJSON *n = cJSON_GetObjectItem(o, key);

    return cJSON_IsNumber(n) ? (int64_t)n->valuedouble : otherwise;
}

static bool load(struct accounts *a)
{
    struct bytes text;
    char path[STORE_PATH_MAX];
    const cJSON *o;

    store_path(&a->b->store, path, "account.json");
    bytes_init(&text, STORE_RECORD_MAX);
    int err = store_read(path, &text);
    cJSON *root = err || !text.data ? NULL : cJSON_ParseWithLength(text.data, text.len);
    bytes_release(&text);
    if (!root) {
        if (err != -ENOENT)
            fprintf(stderr, "nemo-local: %s is unreadable\n", path);
        return err == -ENOENT;
    }
    a->tokens_granted = (int)number(root, "tokens_granted", 0);
    a->new_credits = number(root, "new_credits", a->new_credits);
    cJSON_ArrayForEach(o, cJSON_GetObjectItem(root, "accounts"))
    {
        struct account *one = add(a);
        if (!one)
            break;
        copy(one->client_id, sizeof(one->client_id), o, "client_id");
        copy(one->user_id, sizeof(one->user_id), o, "user_id");
        copy(one->token, sizeof(one->token), o, "token");
        one->token_index = (int)number(o, "token_index", -1);
        one->revoked = cJSON_IsTrue(cJSON_GetObjectItem(o, "revoked"));
        one->expires_ms = number(o, "expires_ms", 0);
        if (one->expires_ms < 0)
            one->expires_ms = CLOCK_NEVER;
        one->balance.available = number(o, "available", 0);
    }
    cJSON_Delete(root);
    return true;
}

static int find_token(struct accounts *a, const char *token)
{
    for (int i = 0; i < a->count; i++) {
        if (a->list[i].token[0] && strcmp(a->list[i].token, token) == 0)
            return i;
    }
    return -1;
}

static bool add_registered(struct accounts *a, const char *token)
{
    if (find_token(a, token) >= 0)
        return true;
    struct account *one = add(a);
    if (!one || strlen(token) >= sizeof(one->token))
        return false;
    strcpy(one->token, token);
    id_hex(one->user_id, "user_", 16);
    one->token_index = a->tokens_granted++;
    one->expires_ms = CLOCK_NEVER;
    one->balance.available = a->new_credits;
    return true;
}

struct accounts *accounts_new(struct backend *b)
{
    struct accounts *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->b = b;
    a->new_credits = b->options.credits;
    pthread_mutex_init(&a->lock, NULL);
    bool ok = load(a);
    for (int i = 0; ok && i < b->options.token_count; i++)
        ok = add_registered(a, b->options.tokens[i]);
    if (ok && save(a) == 0)
        return a;
    accounts_free(a);
    return NULL;
}

void accounts_free(struct accounts *a)
{
    if (!a)
        return;
    pthread_mutex_destroy(&a->lock);
    free(a->list);
    free(a);
}

static struct account *find_client(struct accounts *a, const char *client_id)
{
    for (int i = 0; i < a->count; i++) {
        if (a->list[i].client_id[0] && strcmp(a->list[i].client_id, client_id) == 0)
            return &a->list[i];
    }
    return NULL;
}

/* With the lock held. */
static int grant(struct accounts *a, const char *client_id, struct grant *out)
{
    struct account *one = find_client(a, client_id);
    int64_t now = clock_epoch_ms();

    if (one && !one->revoked && one->expires_ms > now)
        return -EBUSY;
    if (!one) {
        one = add(a);
        if (!one)
            return -ENOMEM;
        snprintf(one->client_id, sizeof(one->client_id), "%s", client_id);
        id_hex(one->user_id, "anon_", 16);
        one->balance.available = a->new_credits;
    }
    id_hex(out->token, "nmv_usr_", 32);
    memcpy(out->user_id, one->user_id, sizeof(out->user_id));
    snprintf(one->token, sizeof(one->token), "%s", out->token);
    one->token_index = a->tokens_granted++;
    one->revoked = false;
    one->expires_ms = now + a->b->options.token_ms;
    out->expires_ms = one->expires_ms;
    out->credits = one->balance.available;
    return save(a);
}

int accounts_grant(struct accounts *a, const char *client_id, struct grant *out)
{
    pthread_mutex_lock(&a->lock);
    int err = grant(a, client_id, out);
    pthread_mutex_unlock(&a->lock);
    return err;
}

int accounts_find(struct accounts *a, const char *token, int *token_index, char user_id[ID_MAX])
{
    pthread_mutex_lock(&a->lock);
    int i = find_token(a, token);
    if (token_index)
        *token_index = i < 0 ? -1 : a->list[i].token_index;
    if (i >= 0 && user_id)
        memcpy(user_id, a->list[i].user_id, ID_MAX);
    if (i < 0 || a->list[i].revoked || a->list[i].expires_ms <= clock_epoch_ms())
        i = -EACCES;
    pthread_mutex_unlock(&a->lock);
    return i;
}

struct balance accounts_balance(struct accounts *a, int account)
{
    pthread_mutex_lock(&a->lock);
    struct balance balance = a->list[account].balance;
    pthread_mutex_unlock(&a->lock);
    return balance;
}

void accounts_set_credits(struct accounts *a, int64_t available)
{
    pthread_mutex_lock(&a->lock);
    a->new_credits = available;
    for (int i = 0; i < a->count; i++)
        a->list[i].balance.available = available;
    if (save(a) != 0)
        fputs("nemo-local: the accounts could not be saved\n", stderr);
    pthread_mutex_unlock(&a->lock);
}

void accounts_revoke(struct accounts *a)
{
    pthread_mutex_lock(&a->lock);
    for (int i = 0; i < a->count; i++)
        a->list[i].revoked = true;
    if (save(a) != 0)
        fputs("nemo-local: the accounts could not be saved\n", stderr);
    pthread_mutex_unlock(&a->lock);
}

int64_t accounts_freeze(struct accounts *a, int account, int64_t cost)
{
    int64_t amount = -EDQUOT;

    pthread_mutex_lock(&a->lock);
    struct balance *balance = &a->list[account].balance;
    if (balance->available > 0 || cost == 0) {
        amount = cost < balance->available ? cost : balance->available;
        balance->available -= amount;
        balance->frozen += amount;
    }
    pthread_mutex_unlock(&a->lock);
    return amount;
}

void accounts_settle(struct accounts *a, int account, int64_t amount, bool spend)
{
    pthread_mutex_lock(&a->lock);
    struct balance *balance = &a->list[account].balance;
    balance->frozen -= amount;
    if (!spend)
        balance->available += amount;
    if (spend && save(a) != 0)
        fputs("nemo-local: the accounts could not be saved\n", stderr);
    pthread_mutex_unlock(&a->lock);
}
