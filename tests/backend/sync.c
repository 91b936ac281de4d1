#include "sync.h"

#include <errno.h>
#include <kiss_fftr.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BAND_LOW_HZ 150.0
#define BAND_HIGH_HZ 5000.0
#define BAND_EDGE 0.25       /* of the border frequency: how softly the band begins and ends */
#define WHITENING 0.9        /* 1 would be the plain phase transform */
#define SHORTEST_S 0.3       /* sound shorter than this says nothing */
#define OVERLAP_S 0.3        /* least common time of a match */
#define NEIGHBOURHOOD_S 0.05 /* what is nearer to the peak belongs to it: echoes, its own width */

#define PARTS_MAX 16
#define PART_STRENGTH 6.0 /* what is left of the strength in each part, at least */
#define PART_WINDOW_S 1.0 /* where a part looks for itself, either way */
#define PART_NEAR_S 0.03  /* how far it may be off, */
#define PART_DRIFT 2e-4   /* and of its distance: two clocks never run the same */

#define STRENGTH_MIN 9.0
#define MARGIN_MIN 1.2
#define AGREEMENT_MIN 0.7

struct sound {
    const float *samples;
    size_t count;
};

static double energy(struct sound s)
{
    double sum = 0;

    for (size_t i = 0; i < s.count; i++)
        sum += (double)s.samples[i] * s.samples[i];
    return sum;
}

static bool is_silent(struct sound s)
{
    return !(energy(s) / (double)s.count > 1e-10);
}

/* The spectrum of the sound, filled up with silence in `work`. */
static kiss_fft_cpx *spectrum(kiss_fftr_cfg fft, struct sound s, float *work, size_t size)
{
    kiss_fft_cpx *out = malloc((size / 2 + 1) * sizeof(*out));

    if (!out)
        return NULL;
    memcpy(work, s.samples, s.count * sizeof(*work));
    memset(work + s.count, 0, (size - s.count) * sizeof(*work));
    kiss_fftr(fft, work, out);
    return out;
}

/* How much of a frequency counts: 1 in the band, 0 far from it. */
static double band(double hz)
{
    double low = (hz / BAND_LOW_HZ - (1 - BAND_EDGE)) / BAND_EDGE;
    double high = ((1 + BAND_EDGE) - hz / BAND_HIGH_HZ) / BAND_EDGE;
    double gain = fmin(fmin(low, high), 1);

    return gain <= 0 ? 0 : 0.5 - 0.5 * cos(gain * M_PI);
}

/* x becomes the whitened cross spectrum of x and y. */
static void cross(kiss_fft_cpx *x, const kiss_fft_cpx *y, size_t bins, double bin_hz)
{
    for (size_t i = 0; i < bins; i++) {
        double re = (double)x[i].r * y[i].r + (double)x[i].i * y[i].i;
        double im = (double)x[i].i * y[i].r - (double)x[i].r * y[i].i;
        double size = hypot(re, im);
        double gain = size > 0 ? band((double)i * bin_hz) / pow(size, WHITENING) : 0;
        x[i].r = (float)(re * gain);
        x[i].i = (float)(im * gain);
    }
}

/* The correlation of two sounds for every lag of the second on the first. Malloc'd. */
struct correlation {
    float *values;
    size_t size;
};

static bool correlate(struct sound a, struct sound b, int rate, struct correlation *out)
{
    size_t size = (size_t)kiss_fftr_next_fast_size_real((int)(a.count + b.count));
    kiss_fftr_cfg fft = kiss_fftr_alloc((int)size, 0, NULL, NULL);
    float *values = malloc(size * sizeof(*values));
    kiss_fft_cpx *x = fft && values ? spectrum(fft, a, values, size) : NULL;
    kiss_fft_cpx *y = x ? spectrum(fft, b, values, size) : NULL;
    bool ok = y != NULL;

    if (ok)
        cross(x, y, size / 2 + 1, (double)rate / (double)size);
    kiss_fftr_free(fft);
    free(y);
    fft = ok ? kiss_fftr_alloc((int)size, 1, NULL, NULL) : NULL;
    ok = fft != NULL;
    if (ok) {
        kiss_fftri(fft, x, values);
        *out = (struct correlation){values, size};
    } else {
        free(values);
    }
    kiss_fftr_free(fft);
    free(x);
    return ok;
}

/* At a lag; negative ones are at the end. Either sign: a microphone may be wired the wrong way
 * round. */
static double at(const struct correlation *c, long lag)
{
    return fabs((double)c->values[lag < 0 ? (long)c->size + lag : lag]);
}

static long highest(const struct correlation *c, long first, long last)
{
    long peak = first;

    for (long lag = first; lag <= last; lag++) {
        if (at(c, lag) > at(c, peak))
            peak = lag;
    }
    return peak;
}

/* Where between the samples the top is: -0.5 to 0.5. */
static double summit(double left, double top, double right)
{
    double bend = left - 2 * top + right;

    return bend < 0 ? fmax(-0.5, fmin(0.5, 0.5 * (left - right) / bend)) : 0;
}

/* The best lag, and how it stands out. */
static long judge(const struct correlation *c, long first, long last, int rate,
                  struct sync_match *out)
{
    long peak = highest(c, first, last), near = lround(NEIGHBOURHOOD_S * rate), others = 0;
    double second = 0, power = 0, top = at(c, peak);

    for (long lag = first; lag <= last; lag++) {
        double v = at(c, lag);
        if (labs(lag - peak) <= near)
            continue;
        second = fmax(second, v);
        power += v * v;
        others++;
    }
    double deviation = others ? sqrt(power / (double)others) : 0;
    out->offset_s = ((double)peak + summit(at(c, peak - 1), top, at(c, peak + 1))) / rate;
    out->strength = deviation > 0 ? top / deviation : 0;
    out->margin = second > 0 ? top / second : 0;
    return peak;
}

/* Does this part of the voiceover, by itself, belong where `lag` puts it? -1: no memory. */
static int part_agrees(struct sound clip, struct sound part, long lag, long near, int rate)
{
    long window = lround(PART_WINDOW_S * rate), count = (long)clip.count;
    long from = lag - window > 0 ? lag - window : 0;
    long to = lag + (long)part.count + window;
    struct correlation c;

    if (to > count)
        to = count;
    if (to <= from)
        return 0;
    struct sound around = {clip.samples + from, (size_t)(to - from)};
    if (!correlate(around, part, rate, &c))
        return -1;
    long here = lag - from;
    long peak = highest(&c, here - window < -(long)part.count ? -(long)part.count : here - window,
                        here + window >= to - from ? to - from - 1 : here + window);
    free(c.values);
    return labs(peak - here) <= near;
}

/* The share of the voiceover, by loudness, whose parts agree; -1: no memory. */
static double agreement(struct sound clip, struct sound voice, long lag, double strength, int rate)
{
    long first = lag < 0 ? -lag : 0;
    long last =
        (long)clip.count - lag < (long)voice.count ? (long)clip.count - lag : (long)voice.count;
    double shortest = SHORTEST_S * rate;
    double parts = fmin((strength / PART_STRENGTH) * (strength / PART_STRENGTH), PARTS_MAX);
    long count = (long)fmax(fmin(parts, (double)(last - first) / shortest), 1);
    double all = 0, agreed = 0;

    for (long i = 0; i < count; i++) {
        long begin = first + (last - first) * i / count,
             end = first + (last - first) * (i + 1) / count;
        struct sound part = {voice.samples + begin, (size_t)(end - begin)};
        double weight = sqrt(energy(part));
        double apart = PART_NEAR_S * rate + PART_DRIFT * (double)(last - first);
        int agrees = part_agrees(clip, part, lag + begin, lround(apart), rate);
        if (agrees < 0)
            return -1;
        all += weight;
        agreed += agrees ? weight : 0;
    }
    return all > 0 ? agreed / all : 0;
}

int sync_find(const float *clip_samples, size_t clip_count, const float *voice_samples,
              size_t voice_count, int rate, struct sync_match *out)
{
    struct sound clip = {clip_samples, clip_count}, voice = {voice_samples, voice_count};
    size_t shortest = (size_t)(SHORTEST_S * rate);
    long overlap = lround(OVERLAP_S * rate);
    struct correlation c;

    if (clip_count < shortest || voice_count < shortest || is_silent(clip) || is_silent(voice))
        return -ENODATA;
    if (clip_count + voice_count > INT_MAX / 2 || !correlate(clip, voice, rate, &c))
        return -ENOMEM;
    long lag = judge(&c, overlap - (long)voice_count, (long)clip_count - overlap, rate, out);
    free(c.values);
    out->agreement = agreement(clip, voice, lag, out->strength, rate);
    out->sure = out->strength >= STRENGTH_MIN && out->margin >= MARGIN_MIN &&
                out->agreement >= AGREEMENT_MIN;
    return out->agreement < 0 ? -ENOMEM : 0;
}
