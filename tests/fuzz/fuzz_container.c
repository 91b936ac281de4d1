/* A file that somebody copies in: its first byte picks the name, the rest is its content. */
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "container.h"

FUZZ_ENTRY int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.mp4", "a.mov", "a.wav", "a.mp3", "a"};
    static int fd = -1;
    int r;

    if (!size)
        return 0;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && ftruncate(fd, 0) == 0);
    fuzz_check(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    r = container_check(fd, (off_t)(size - 1), names[data[0] % 5]);
    fuzz_check(r == 0 || r == -EBADMSG);
    return 0;
}
