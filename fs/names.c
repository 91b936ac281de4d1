#include "names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

static const char *const media[] = {
    "mp4", "mov", "avi",  "webm", "mkv", "jpg", "jpeg",
    "png", "gif", "webp", "mp3",  "wav", "m4a", "aac",
};

static const char supported[] = "mp4 mov avi webm mkv, jpg png gif webp, mp3 wav m4a aac";

static const char *const temporary_suffixes[] = {
    "~",    ".part",       ".partial",  ".tmp",      ".temp",
    ".swp", ".crdownload", ".download", ".filepart", ".bak",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool names_well_formed(const char *name)
{
    size_t len = strnlen(name, NAMES_MAX + 1);

    if (len == 0 || len > NAMES_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < len;) {
        uint32_t c;

        i += utf8_decode(name + i, len - i, &c);
        if (c == UTF8_BAD || c == '/')
            return false;
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

/* An extension without its dot. */
static bool is_media(const char *extension, size_t len)
{
    for (size_t i = 0; i < COUNT(media); i++)
        if (strlen(media[i]) == len && strncasecmp(media[i], extension, len) == 0)
            return true;
    return false;
}

bool names_is_media(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot != name && is_media(dot + 1, strlen(dot + 1));
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
        if (is_media(dot + 1, len))
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
