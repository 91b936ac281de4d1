#include "translate_strip.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

/* True: the character belongs to an escape sequence. */
static bool in_escape(struct strip *s, uint32_t c)
{
    switch (s->escape) {
    case STRIP_PLAIN:
        return false;
    case STRIP_ESC:
    case STRIP_STRING_ESC:
        s->escape = STRIP_PLAIN;
        if (c == '[')
            s->escape = STRIP_CSI;
        else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
            s->escape = STRIP_STRING;
        else if (c >= 0x20 && c <= 0x2f)
            s->escape = STRIP_ESC;
        return c >= 0x20 && c <= 0x7e;
    case STRIP_CSI:
        if (c >= 0x20 && c <= 0x3f)
            return true;
        s->escape = STRIP_PLAIN;
        return c >= 0x40 && c <= 0x7e;
    case STRIP_STRING:
        if (c == 0x1b)
            s->escape = STRIP_STRING_ESC;
        else if (c == 0x07 || c == 0x9c || c == '\n')
            s->escape = STRIP_PLAIN;
        return c != '\n';
    }
    return false;
}

/* The escape sequence that a control character of one byte in old sets begins. */
static enum strip_escape escape_of(uint32_t c)
{
    switch (c) {
    case 0x1b:
        return STRIP_ESC;
    case 0x9b:
        return STRIP_CSI;
    case 0x90:
    case 0x98:
    case 0x9d:
    case 0x9e:
    case 0x9f:
        return STRIP_STRING;
    default:
        return STRIP_PLAIN;
    }
}

static void push(struct strip *s, uint32_t c)
{
    if (in_escape(s, c))
        return;
    if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c <= 0x9f)) {
        s->escape = escape_of(c);
        return;
    }
    char bytes[4];
    if (c == UTF8_BAD)
        s->out(s->user, UTF8_REPLACEMENT, strlen(UTF8_REPLACEMENT));
    else
        s->out(s->user, bytes, utf8_encode(c, bytes));
}

void strip_init(struct strip *s, void (*out)(void *user, const char *character, size_t size),
                void *user)
{
    *s = (struct strip){.out = out, .user = user};
}

void strip_feed(struct strip *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        s->bytes[s->count++] = bytes[i];
        while (s->count) {
            uint32_t c;
            size_t size = utf8_decode(s->bytes, s->count, &c);
            unsigned char lead = (unsigned char)s->bytes[0];
            if (c == UTF8_BAD && size == s->count && lead >= 0xc2 && lead <= 0xf4)
                break; /* the rest of it may come */
            push(s, c);
            s->count -= size;
            memmove(s->bytes, s->bytes + size, s->count);
        }
    }
}

void strip_finish(struct strip *s)
{
    if (s->count)
        push(s, UTF8_BAD);
    strip_init(s, s->out, s->user);
}
