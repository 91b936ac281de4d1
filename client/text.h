/*
 * Texts for people: the one way to gettext.
 *
 * The program binds the text domain and chooses the language once at its start (fs/words.c); a
 * library file only marks its texts. Safe from every thread. Returned strings live for ever.
 */
#ifndef LIPSYNC_TEXT_H
#define LIPSYNC_TEXT_H

#include <libintl.h>

#define TEXT_DOMAIN "lipsyncfs"
#define _(s) dgettext(TEXT_DOMAIN, (s))
#define N_(s) (s) /* marked here, translated where it is used */
#define P_(one, many, n) dngettext(TEXT_DOMAIN, (one), (many), (n))

#endif
