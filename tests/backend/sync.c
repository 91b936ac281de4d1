#include "sync.h"

#include <errno.h>
#include <kiss_fftr.h>
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
#define STRENGTH_MIN 9.0
#define MARGIN_MIN 1.35

static bool is_silent(const float *samples, size_t count)
{
    double energy = 0;

    for (size_t i = 0; i < count; i++)
        energy += (double)samples[i] * samples[i];
    return !(energy / (double)count > 1e-10);
}

/* The spectrum of the samples, filled up with silence. */
static kiss_fft_cpx *spectrum(kiss_fftr_cfg fft, const float *samples, size_t count, size_t size)
{
    float *padded = calloc(size, sizeof(*padded));
    kiss_fft_cpx *out = malloc((size / 2 + 1) * sizeof(*out));

    if (padded && out) {
        memcpy(padded, samples, count * sizeof(*samples));
        kiss_fftr(fft, padded, out);
    } else {
        free(out);
        out = NULL;
    }
    free(padded);
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

/* The correlation at a lag; negative lags are at the end. */
static double at(const float *c, size_t size, long lag)
{
    return fabs((double)c[lag < 0 ? (long)size + lag : lag]);
}

/* Where between the samples the top is: -0.5 to 0.5. */
static double summit(double left, double top, double right)
{
    double bend = left - 2 * top + right;

    return bend < 0 ? fmax(-0.5, fmin(0.5, 0.5 * (left - right) / bend)) : 0;
}

static void judge(const float *c, size_t size, long first, long last, int rate,
                  struct sync_match *out)
{
    long peak = first, near = lround(NEIGHBOURHOOD_S * rate);
    double second = 0, power = 0;
    long others = 0;

    for (long lag = first; lag <= last; lag++) {
        if (at(c, size, lag) > at(c, size, peak))
            peak = lag;
    }
    for (long lag = first; lag <= last; lag++) {
        double v = at(c, size, lag);
        if (labs(lag - peak) <= near)
            continue;
        second = fmax(second, v);
        power += v * v;
        others++;
    }
    double top = at(c, size, peak);
    double deviation = others ? sqrt(power / (double)others) : 0;
    out->offset_s =
        ((double)peak + summit(at(c, size, peak - 1), top, at(c, size, peak + 1))) / rate;
    out->strength = deviation > 0 ? top / deviation : 0;
    out->margin = second > 0 ? top / second : 0;
    out->sure = out->strength >= STRENGTH_MIN && out->margin >= MARGIN_MIN;
}

int sync_find(const float *clip, size_t clip_count, const float *voice, size_t voice_count,
              int rate, struct sync_match *out)
{
    size_t shortest = (size_t)(SHORTEST_S * rate);
    long overlap = lround(OVERLAP_S * rate);
    kiss_fft_cpx *x = NULL, *y = NULL;
    float *c = NULL;
    int err = -ENOMEM;

    if (clip_count < shortest || voice_count < shortest || is_silent(clip, clip_count) ||
        is_silent(voice, voice_count))
        return -ENODATA;
    size_t size = (size_t)kiss_fftr_next_fast_size_real((int)(clip_count + voice_count));
    kiss_fftr_cfg forth = kiss_fftr_alloc((int)size, 0, NULL, NULL);
    kiss_fftr_cfg back = kiss_fftr_alloc((int)size, 1, NULL, NULL);
    if (!forth || !back)
        goto out;
    x = spectrum(forth, clip, clip_count, size);
    y = spectrum(forth, voice, voice_count, size);
    c = malloc(size * sizeof(*c));
    if (!x || !y || !c)
        goto out;
    cross(x, y, size / 2 + 1, (double)rate / (double)size);
    kiss_fftri(back, x, c);
    judge(c, size, overlap - (long)voice_count, (long)clip_count - overlap, rate, out);
    err = 0;
out:
    free(x);
    free(y);
    free(c);
    kiss_fftr_free(forth);
    kiss_fftr_free(back);
    return err;
}
