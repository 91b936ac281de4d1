/*
 * Rules about names: what may be created, what is uploaded, what is only on its way to become that.
 *
 * Pure: no I/O, no state, usable from every thread. Names are hostile: any bytes, NUL-terminated.
 */
#ifndef LIPSYNC_NAMES_H
#define LIPSYNC_NAMES_H

#include <stdbool.h>

#define NAMES_MAX 255 /* bytes, as everywhere on Linux */

/* 1 to NAMES_MAX bytes of valid UTF-8 without '/'; not "." nor "..". Control characters are
 * allowed: texts for people have such a name without them. */
bool names_well_formed(const char *name);

/* Well-formed and not hidden: what a session or a finished input may be called. */
bool names_valid(const char *name);

/* Taken by the mount itself in the root directory. */
bool names_reserved_root(const char *name);

/* Uploads nothing: starts with '.' or ends in '~', ".part", ".tmp" and their kin, in any case. */
bool names_is_temporary(const char *name);

/* Has one of the protocol's extensions, in any case, with something before it. */
bool names_is_media(const char *name);

/* The supported formats as people read them: "mp4 mov avi …". Static. */
const char *names_supported(void);

enum names_verdict {
    NAMES_MEDIA,       /* a finished media name: upload at the last close */
    NAMES_TEMPORARY,   /* will be a media file, or nothing tells: accept, upload nothing */
    NAMES_UNSUPPORTED, /* is, or will clearly become, something that the backend does not take */
};

/* Judges a name in inputs/; a temporary one as the final name it stands for ("clip.mp4.part" and
 * ".clip.mp4.AbC123", rsync's, as clip.mp4; "notes.txt.part" as notes.txt), because a later rename
 * must not be the first to complain. Not well-formed: NAMES_UNSUPPORTED. */
enum names_verdict names_judge(const char *name);

#endif
