#include "names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *extension;
    const char *mime;
} media[] = {
    {"mp4", "video/mp4"},   {"mov", "video/quicktime"},  {"avi", "video/x-msvideo"},
    {"webm", "video/webm"}, {"mkv", "video/x-matroska"}, {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"}, {"png", "image/png"},        {"gif", "image/gif"},
    {"webp", "image/webp"}, {"mp3", "audio/mpeg"},       {"wav", "audio/wav"},
    {"m4a", "audio/mp4"},   {"aac", "audio/aac"},
};

static const char supported[] = "mp4 mov avi webm mkv, jpg png gif webp, mp3 wav m4a aac";

static const char *const temporary_suffixes[] = {
    "~",    ".part",       ".partial",  ".tmp",      ".temp",
    ".swp", ".crdownload", ".download", ".filepart", ".bak",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The number of bytes of the UTF-8 character at `s`, 0 if it is none (overlong, surrogate, cut). */
static size_t utf8_length(const unsigned char *s)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len;
    uint32_t c;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        len = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4;
    else
        return 0;
    c = s[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < lowest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return len;
}

bool names_well_formed(const char *name)
{
    const unsigned char *s = (const unsigned char *)name;
    size_t len = strnlen(name, NAMES_MAX + 1);

    if (len == 0 || len > NAMES_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    while (*s) {
        size_t n = utf8_length(s);

        /* C1 controls (U+0080 to U+009F) move cursors too. */
        if (n == 0 || *s < 0x20 || *s == 0x7f || *s == '/' || (*s == 0xc2 && s[1] < 0xa0))
            return false;
        s += n;
    }
    return true;
}

bool names_valid(const char *name)
{
    return name[0] != '.' && names_well_formed(name);
}

bool names_reserved_root(const char *name)
{
    return strcmp(name, "README.txt") == 0 || strcmp(name, "credits") == 0;
}

/* The length that is left of the first `len` bytes without a temporary suffix; `len` if it has
 * none. */
static size_t without_suffix(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT(temporary_suffixes); i++) {
        size_t n = strlen(temporary_suffixes[i]);

        if (len >= n && strncasecmp(name + len - n, temporary_suffixes[i], n) == 0)
            return len - n;
    }
    return len;
}

bool names_is_temporary(const char *name)
{
    size_t len = strlen(name);

    return name[0] == '.' || without_suffix(name, len) < len;
}

/* Index into `media` of an extension without its dot, -1 if it is none. */
static int find_media(const char *extension, size_t len)
{
    for (size_t i = 0; i < COUNT(media); i++)
        if (strlen(media[i].extension) == len &&
            strncasecmp(media[i].extension, extension, len) == 0)
            return (int)i;
    return -1;
}

static int media_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (!dot || dot == name)
        return -1;
    return find_media(dot + 1, strlen(dot + 1));
}

bool names_is_media(const char *name)
{
    return media_of(name) >= 0;
}

const char *names_mime(const char *name)
{
    int i = media_of(name);

    return i < 0 ? "application/octet-stream" : media[i].mime;
}

const char *names_supported(void)
{
    return supported;
}

/* Does this look like the extension of some kind of file, and not like a random part of a temporary
 * name? Those have six characters and more; in names that are not hidden also a digit or both
 * cases. */
static bool is_extension(const char *s, size_t len, bool hidden)
{
    bool letter = false, digit = false, lower = false, upper = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (!isascii(c) || !isalnum(c))
            return false;
        letter |= isalpha(c) != 0;
        digit |= isdigit(c) != 0;
        lower |= islower(c) != 0;
        upper |= isupper(c) != 0;
    }
    if (!letter)
        return false;
    return len <= 5 || (!hidden && len <= 10 && !digit && !(lower && upper));
}

/* vim tries .NAME.swx and .NAME.swpx before its .NAME.swp. */
static bool is_vim_probe(const char *s, size_t len)
{
    return (len == 3 && strncmp(s, "swx", 3) == 0) || (len == 4 && strncmp(s, "swpx", 4) == 0);
}

/* What a temporary name will become, from its parts between dots, the last first: temporary
 * programs append, so the last one that says anything is the extension. */
static enum names_verdict judge_temporary(const char *name)
{
    bool hidden = name[0] == '.';
    size_t end, shorter;

    name += hidden;
    end = strlen(name);
    while ((shorter = without_suffix(name, end)) < end)
        end = shorter;
    while (end > 0) {
        const char *dot = memrchr(name, '.', end);
        size_t len;

        if (!dot)
            break;
        len = end - (size_t)(dot + 1 - name);
        if (find_media(dot + 1, len) >= 0)
            return NAMES_TEMPORARY;
        if (is_extension(dot + 1, len, hidden) && !(hidden && is_vim_probe(dot + 1, len)))
            return NAMES_UNSUPPORTED;
        end = (size_t)(dot - name);
    }
    return NAMES_TEMPORARY;
}

enum names_verdict names_judge(const char *name)
{
    if (!names_well_formed(name))
        return NAMES_UNSUPPORTED;
    if (names_is_temporary(name))
        return judge_temporary(name);
    return names_is_media(name) ? NAMES_MEDIA : NAMES_UNSUPPORTED;
}
