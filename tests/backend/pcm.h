/*
 * The sound of a media file as samples: mono, float, decoded by ffmpeg.
 */
#ifndef BACKEND_PCM_H
#define BACKEND_PCM_H

#include <stddef.h>

#include "child.h"

struct pcm {
    float *samples;
    size_t count;
    int rate; /* samples a second */
};

/* Sample 0 is the first sample of the sound. At most `max_s` seconds. 0; -ENODATA: no sound that
 * can be decoded (`words` says why); -ECANCELED; -ENOMEM. */
int pcm_voice(const char *path, int rate, double max_s, int stop_fd, struct pcm *out,
              char words[CHILD_WORDS_MAX]);

/* Sample 0 is sounded together with the first frame of the picture, at timestamp `first_s` of the
 * file: sound that is early is cut there, sound that is late has silence before it. */
int pcm_clip(const char *path, double first_s, int rate, double max_s, int stop_fd, struct pcm *out,
             char words[CHILD_WORDS_MAX]);

void pcm_release(struct pcm *p);

#endif
