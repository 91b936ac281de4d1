/* Files that are whole, cut short, or nothing to be judged. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "container.h"

/* A file in the making. */
struct content {
    unsigned char bytes[4096];
    size_t len;
};

static void put(struct content *c, const void *bytes, size_t len)
{
    assert_true(c->len + len <= sizeof(c->bytes));
    memcpy(c->bytes + c->len, bytes, len);
    c->len += len;
}

static void put_be32(struct content *c, uint32_t n)
{
    put(c,
        (unsigned char[]){(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                          (unsigned char)(n >> 8), (unsigned char)n},
        4);
}

static void put_le32(struct content *c, uint32_t n)
{
    put(c,
        (unsigned char[]){(unsigned char)n, (unsigned char)(n >> 8), (unsigned char)(n >> 16),
                          (unsigned char)(n >> 24)},
        4);
}

static void fill(struct content *c, size_t len, int byte)
{
    assert_true(c->len + len <= sizeof(c->bytes));
    memset(c->bytes + c->len, byte, len);
    c->len += len;
}

/* A box that says it has `size` bytes, and has `payload` after its header. */
static void box_saying(struct content *c, const char *type, uint32_t size, size_t payload)
{
    put_be32(c, size);
    put(c, type, 4);
    fill(c, payload, 0x55);
}

static void box(struct content *c, const char *type, size_t payload)
{
    box_saying(c, type, (uint32_t)payload + 8, payload);
}

static void chunk_saying(struct content *c, const char *id, uint32_t size, size_t payload)
{
    put(c, id, 4);
    put_le32(c, size);
    fill(c, payload, 0x55);
}

static int check_sized(const void *bytes, size_t len, off_t size, const char *name)
{
    int fd = memfd_create("content", MFD_CLOEXEC), rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    rc = container_check(fd, size, name);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)len);
    close(fd);
    return rc;
}

static int check(const struct content *c, const char *name)
{
    return check_sized(c->bytes, c->len, (off_t)c->len, name);
}

/* Does a file of `len` bytes end between two boxes, or with a few zeros behind one? Those are what
 * some writers close a list with, and also how the size of the next box begins. */
static bool ends_between(const struct content *c, size_t len, const size_t *borders, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t zeros = 0;

        while (borders[i] + zeros < len && c->bytes[borders[i] + zeros] == 0)
            zeros++;
        if (borders[i] + zeros == len && zeros < 4)
            return true;
    }
    return false;
}

/* Every shorter file is cut short, except those that end between two boxes. */
static void check_cuts(const struct content *c, const char *name, const size_t *borders, size_t n)
{
    assert_int_equal(check(c, name), 0);
    for (size_t len = 12; len < c->len; len++) {
        int expected = ends_between(c, len, borders, n) ? 0 : -EBADMSG;
        int rc = check_sized(c->bytes, len, (off_t)len, name);

        if (rc != expected)
            fail_msg("cut to %zu of %zu bytes: %d", len, c->len, rc);
    }
}

/* ---- MP4 ---- */

static void every_cut_of_an_mp4_is_seen(void **state)
{
    struct content c = {.len = 0};
    size_t borders[3];

    (void)state;
    box(&c, "ftyp", 16);
    borders[0] = c.len;
    box(&c, "moov", 100);
    borders[1] = c.len;
    box(&c, "free", 0);
    borders[2] = c.len;
    box(&c, "mdat", 200);
    check_cuts(&c, "clip.mp4", borders, 3);
}

static void large_sizes_are_read(void **state)
{
    struct content c = {.len = 0};
    size_t borders[2];

    (void)state;
    box(&c, "ftyp", 16);
    borders[0] = c.len;
    box(&c, "moov", 50);
    borders[1] = c.len;
    put_be32(&c, 1);
    put(&c, "mdat", 4);
    put_be32(&c, 0);
    put_be32(&c, 16 + 64);
    fill(&c, 64, 1);
    check_cuts(&c, "clip.mp4", borders, 2);

    c.bytes[borders[1] + 8] = 0xff; /* beyond what an off_t holds */
    assert_int_equal(check(&c, "clip.mp4"), -EBADMSG);
    c.bytes[borders[1] + 8] = 0;
    c.bytes[borders[1] + 15] = 3; /* smaller than its header: no sense */
    assert_int_equal(check(&c, "clip.mp4"), 0);
}

static void a_box_to_the_end_has_no_end_to_miss(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    box(&c, "ftyp", 16);
    box(&c, "moov", 30);
    box_saying(&c, "mdat", 0, 500);
    assert_int_equal(check(&c, "clip.mp4"), 0);
}

/* What a recorder that was ended leaves: data without end, and no description of it. */
static void data_that_nothing_describes_is_unfinished(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    box(&c, "ftyp", 16);
    box(&c, "free", 0);
    box_saying(&c, "mdat", 0, 500);
    assert_int_equal(check(&c, "clip.mp4"), -EBADMSG);
}

static void fragments_are_walked(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    box(&c, "ftyp", 16);
    box(&c, "moov", 30);
    for (int i = 0; i < 10; i++) {
        box(&c, "moof", 20);
        box(&c, "mdat", 40);
    }
    assert_int_equal(check(&c, "clip.mp4"), 0);
    c.len--;
    assert_int_equal(check(&c, "clip.mp4"), -EBADMSG);
}

static void quicktime_needs_the_name(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    box(&c, "wide", 0);
    box(&c, "moov", 30);
    box_saying(&c, "mdat", 1000, 100);
    assert_int_equal(check(&c, "clip.mov"), -EBADMSG);
    assert_int_equal(check(&c, "CLIP.MOV.part"), -EBADMSG);
    assert_int_equal(check(&c, "clip.mp3"), 0);
}

static void what_taggers_append_is_not_judged(void **state)
{
    struct content c = {.len = 0};
    size_t end;

    (void)state;
    box(&c, "ftyp", 16);
    box(&c, "moov", 30);
    box(&c, "mdat", 100);
    end = c.len;
    put(&c, "TAGtitle of the song", 20);
    assert_int_equal(check(&c, "song.m4a"), 0);
    c.len = end;
    fill(&c, 20, 0xfe);
    assert_int_equal(check(&c, "song.m4a"), 0);
    for (size_t zeros = 1; zeros < 20; zeros++) {
        c.len = end;
        fill(&c, zeros, 0);
        assert_int_equal(check(&c, "song.m4a"), 0);
    }
}

static void boxes_without_sense_are_not_judged(void **state)
{
    (void)state;
    for (uint32_t size = 2; size < 8; size++) {
        struct content c = {.len = 0};

        box(&c, "ftyp", 16);
        box_saying(&c, "mdat", size, 100);
        assert_int_equal(check(&c, "clip.mp4"), 0);
    }
}

/* ---- RIFF ---- */

static struct content riff(const char *form, uint32_t said, size_t payload)
{
    struct content c = {.len = 0};

    chunk_saying(&c, "RIFF", said, 0);
    put(&c, form, 4);
    chunk_saying(&c, strcmp(form, "WEBP") == 0 ? "VP8 " : "data", (uint32_t)payload, payload);
    return c;
}

static void every_cut_of_a_riff_is_seen(void **state)
{
    static const char *const forms[] = {"WAVE", "AVI ", "WEBP"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct content c = riff(forms[i], 12 + 100, 100);

        check_cuts(&c, "x", NULL, 0);
    }
}

static void the_last_padding_byte_may_be_missing(void **state)
{
    struct content c = riff("WAVE", 12 + 102, 101);

    (void)state;
    assert_int_equal(c.len, 12 + 8 + 101);
    assert_int_equal(check(&c, "a.wav"), 0);
    put(&c, "", 1);
    assert_int_equal(check(&c, "a.wav"), 0);
}

static void sizes_of_streaming_writers_are_not_judged(void **state)
{
    static const uint32_t placeholders[] = {0, 0x7fffffff, 0x7ffff024, 0x80000000, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
        struct content c = riff("WAVE", placeholders[i], 100);

        assert_int_equal(check(&c, "a.wav"), 0);
        c = riff("WAVE", 12 + 100, 0);
        c.len -= 4;
        put_le32(&c, placeholders[i]);
        fill(&c, 100, 1);
        assert_int_equal(check(&c, "a.wav"), 0);
    }
}

static void a_chunk_beyond_the_end_is_seen_in_a_list_that_fits(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    chunk_saying(&c, "RIFF", 4 + 8 + 16 + 8 + 50, 0);
    put(&c, "WAVE", 4);
    chunk_saying(&c, "fmt ", 16, 16);
    chunk_saying(&c, "data", 5000, 50);
    assert_int_equal(check(&c, "a.wav"), -EBADMSG);
}

static void long_avis_are_several_lists(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        chunk_saying(&c, "RIFF", 4 + 8 + 50, 0);
        put(&c, i ? "AVIX" : "AVI ", 4);
        chunk_saying(&c, "LIST", 50, 50);
    }
    assert_int_equal(check(&c, "a.avi"), 0);
    c.len -= 10;
    assert_int_equal(check(&c, "a.avi"), -EBADMSG);
}

static void other_riffs_are_not_judged(void **state)
{
    struct content c = riff("sfbk", 10000, 100);

    (void)state;
    assert_int_equal(check(&c, "a.wav"), 0);
}

/* ---- others ---- */

static void what_is_no_container_is_not_judged(void **state)
{
    static const char text[] = "Just a text, whatever it is called, is neither whole nor cut.";

    (void)state;
    assert_int_equal(check_sized(text, sizeof(text), sizeof(text), "text.mp4"), 0);
    assert_int_equal(check_sized("", 0, 0, "clip.mp4"), 0);
    assert_int_equal(check_sized("RIFF", 4, 4, "a.wav"), 0);
    for (size_t len = 0; len < 12; len++)
        assert_int_equal(check_sized("\0\0\0\x20"
                                     "ftypisom",
                                     len, (off_t)len, "clip.mp4"),
                         len < 8 ? 0 : -EBADMSG); /* size and type are there */
}

static void a_shorter_file_than_told_is_survived(void **state)
{
    struct content c = {.len = 0};

    (void)state;
    box(&c, "ftyp", 16);
    assert_int_equal(check_sized(c.bytes, c.len, 100000, "clip.mp4"), 0);
}

static void read_errors_are_told(void **state)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(container_check(fd, 100, "clip.mp4"), -EBADF);
    close(fd);
}

/* A million tiny boxes: the walk ends. And random bytes after a true beginning do no harm. */
static void hostile_content_is_bounded(void **state)
{
    static const char *const heads[] = {"\0\0\0\x10"
                                        "ftypisom\0\0\0\0",
                                        "RIFF\x00\x10\0\0WAVEdata"};
    size_t size = 8u << 20;
    unsigned char *bytes = malloc(size);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i += 8)
        memcpy(bytes + i,
               i ? "\0\0\0\x08"
                   "free"
                 : "\0\0\0\x08"
                   "ftyp",
               8);
    assert_int_equal(check_sized(bytes, size, (off_t)size, "clip.mp4"), 0);

    srand(1);
    for (int round = 0; round < 2000; round++) {
        const char *head = heads[round % 2];
        int rc;

        for (size_t i = 0; i < 256; i++)
            bytes[i] = (unsigned char)(rand() % (round % 3 ? 256 : 4));
        memcpy(bytes, head, 16);
        rc = check_sized(bytes, 256, 256, "clip.mp4");
        assert_true(rc == 0 || rc == -EBADMSG);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_of_an_mp4_is_seen),
        cmocka_unit_test(large_sizes_are_read),
        cmocka_unit_test(a_box_to_the_end_has_no_end_to_miss),
        cmocka_unit_test(data_that_nothing_describes_is_unfinished),
        cmocka_unit_test(fragments_are_walked),
        cmocka_unit_test(quicktime_needs_the_name),
        cmocka_unit_test(what_taggers_append_is_not_judged),
        cmocka_unit_test(boxes_without_sense_are_not_judged),
        cmocka_unit_test(every_cut_of_a_riff_is_seen),
        cmocka_unit_test(the_last_padding_byte_may_be_missing),
        cmocka_unit_test(sizes_of_streaming_writers_are_not_judged),
        cmocka_unit_test(a_chunk_beyond_the_end_is_seen_in_a_list_that_fits),
        cmocka_unit_test(long_avis_are_several_lists),
        cmocka_unit_test(other_riffs_are_not_judged),
        cmocka_unit_test(what_is_no_container_is_not_judged),
        cmocka_unit_test(a_shorter_file_than_told_is_survived),
        cmocka_unit_test(read_errors_are_told),
        cmocka_unit_test(hostile_content_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
