#include "fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

struct fetch {
    int stop_fd;
    uint64_t max, got;
    int err;
    int (*each)(void *user, const char *data, size_t size);
    void *user;
};

static size_t on_data(char *data, size_t one, size_t size, void *user)
{
    struct fetch *f = user;

    (void)one;
    f->got += size;
    f->err = f->got > f->max ? -EFBIG : f->each(f->user, data, size);
    return f->err ? 0 : size;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct fetch *f = user;
    struct wait w = {.stop = f->stop_fd, .peer = -1, .rules = -1, .event = -1};

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (wait_for(&w, 0) == WAKE_STOP)
        f->err = -ECANCELED;
    return f->err != 0;
}

int fetch_url(const char *url, int stop_fd, uint64_t max,
              int (*each)(void *user, const char *data, size_t size), void *user)
{
    struct fetch f = {.stop_fd = stop_fd, .max = max, .each = each, .user = user};
    CURL *curl = curl_easy_init();

    if (!curl)
        return -EACCES;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)FETCH_MAX_MS);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &f);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &f);
    CURLcode result = curl_easy_perform(curl);
    curl_easy_cleanup(curl);
    if (f.err)
        return f.err;
    return result == CURLE_OK ? 0 : -EACCES;
}

void fetch_name(const char *url, char *out, size_t size)
{
    CURLU *parts = curl_url();
    char *path = NULL;

    snprintf(out, size, "file");
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK) {
        const char *slash = strrchr(path, '/');
        if (slash && slash[1])
            snprintf(out, size, "%s", slash + 1);
    }
    curl_free(path);
    curl_url_cleanup(parts);
}
