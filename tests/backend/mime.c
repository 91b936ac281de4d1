#include "mime.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {"mp4", "video/mp4"},   {"mov", "video/quicktime"},  {"avi", "video/x-msvideo"},
    {"webm", "video/webm"}, {"mkv", "video/x-matroska"}, {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"}, {"png", "image/png"},        {"gif", "image/gif"},
    {"webp", "image/webp"}, {"mp3", "audio/mpeg"},       {"wav", "audio/wav"},
    {"m4a", "audio/mp4"},   {"aac", "audio/aac"},
};

const char *mime_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0)
            return types[i].type;
    }
    return NULL;
}
