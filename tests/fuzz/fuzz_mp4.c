/* A video that comes in pieces: whatever the pieces, the same is said of it. */
#include "fuzz.h"

#include "mp4.h"

static bool feed(struct mp4 *m, const uint8_t *data, size_t size, size_t step)
{
    bool fine = true;

    mp4_init(m);
    for (size_t at = 0; at < size; at += step) {
        bool fed = mp4_feed(m, (const char *)data + at, size - at < step ? size - at : step);

        fuzz_check(fine || !fed); /* once bad, always bad */
        fine = fed;
    }
    return fine;
}

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mp4 whole, pieces;
    size_t step = size ? 1 + data[size - 1] % 7 : 1;
    bool fine = feed(&whole, data, size, size + 1);

    fuzz_check(feed(&pieces, data, size, step) == fine);
    fuzz_check(mp4_is_whole(&whole) == mp4_is_whole(&pieces));
    fuzz_check(fine || !mp4_is_whole(&whole));
    return 0;
}
