#include "pcm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"

static int collect(const char *const argv[], int stop_fd, size_t max, struct bytes *out,
                   char words[CHILD_WORDS_MAX])
{
    char buf[65536];
    struct child c;
    ssize_t n = 0;

    bytes_init(out, max);
    int err = child_start(&c, argv, stop_fd);
    if (err)
        return err;
    while (!out->failed && (n = child_read(&c, buf, sizeof(buf))) > 0)
        bytes_add(out, buf, (size_t)n);
    child_finish(&c, words);
    return n < 0 ? (int)n : 0;
}

static int decode(const char *path, const char *filter, int rate, double max_s, int stop_fd,
                  struct pcm *out, char words[CHILD_WORDS_MAX])
{
    char rate_text[16];
    const char *const argv[] = {"ffmpeg",    "-nostdin", "-v",    "error", "-copyts",
                                PROBE_GUARD, "-i",       path,    "-map",  "0:a:0",
                                "-af",       filter,     "-ac",   "1",     "-ar",
                                rate_text,   "-f",       "f32le", "-",     NULL};
    struct bytes raw;

    snprintf(rate_text, sizeof(rate_text), "%d", rate);
    size_t max = (size_t)(max_s * rate + 1) * sizeof(float);
    int err = collect(argv, stop_fd, max, &raw, words);
    raw.failed = false; /* more sound than asked for */
    if (!err && raw.len < sizeof(float))
        err = -ENODATA;
    if (err) {
        bytes_release(&raw);
        return err;
    }
    size_t len = 0;
    out->samples = (float *)bytes_take(&raw, &len);
    out->count = len / sizeof(float);
    out->rate = rate;
    return out->samples ? 0 : -ENOMEM;
}

int pcm_voice(const char *path, int rate, double max_s, int stop_fd, struct pcm *out,
              char words[CHILD_WORDS_MAX])
{
    return decode(path, "asetpts=PTS-STARTPTS,aresample=async=1:first_pts=0", rate, max_s, stop_fd,
                  out, words);
}

int pcm_clip(const char *path, double first_s, int rate, double max_s, int stop_fd, struct pcm *out,
             char words[CHILD_WORDS_MAX])
{
    char filter[128];

    snprintf(filter, sizeof(filter), "asetpts=PTS-(%.6f)/TB,aresample=async=1:first_pts=0",
             first_s);
    return decode(path, filter, rate, max_s, stop_fd, out, words);
}

void pcm_release(struct pcm *p)
{
    free(p->samples);
    *p = (struct pcm){0};
}
