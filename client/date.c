#include "date.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct moment {
    int year, month, day; /* months from 1 */
    int hour, minute, second;
};

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_sane(const struct moment *m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (m->year < 1970 || m->year > 9999 || m->month < 1 || m->month > 12)
        return false;
    int last = days[m->month - 1] + (m->month == 2 && is_leap(m->year));
    return m->day >= 1 && m->day <= last && m->hour <= 23 && m->minute <= 59 && m->second <= 60;
}

/* Counted in years that begin in March, so that the odd day comes last. */
static int64_t epoch_of(const struct moment *m)
{
    int64_t year = m->month > 2 ? m->year : m->year - 1;
    int64_t month = (m->month + 9) % 12;
    int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + m->day;
    days -= 719469; /* the same count for 1970-01-01 */
    return days * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
}

/* Exactly `count` digits. */
static bool digits(const char **p, int count, int *value)
{
    int v = 0;
    for (int i = 0; i < count; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *p += count;
    *value = v;
    return true;
}

static bool byte(const char **p, const char *one_of)
{
    if (!**p || !strchr(one_of, **p))
        return false;
    ++*p;
    return true;
}

static bool clock_time(const char **p, struct moment *m)
{
    return digits(p, 2, &m->hour) && byte(p, ":") && digits(p, 2, &m->minute) && byte(p, ":") &&
           digits(p, 2, &m->second);
}

static bool offset(const char **p, int *seconds)
{
    int hours = 0, minutes = 0;
    *seconds = 0;
    if (!**p || byte(p, "Zz"))
        return true;
    bool west = **p == '-';
    if (!byte(p, "+-") || !digits(p, 2, &hours))
        return false;
    if (**p && ((void)byte(p, ":"), !digits(p, 2, &minutes)))
        return false;
    *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

int date_from_iso8601(const char *text, int64_t *epoch_s)
{
    struct moment m = {0};
    int east = 0;
    const char *p = text;
    if (!digits(&p, 4, &m.year) || !byte(&p, "-") || !digits(&p, 2, &m.month) || !byte(&p, "-") ||
        !digits(&p, 2, &m.day))
        return -EINVAL;
    if (*p) {
        if (!byte(&p, "Tt ") || !clock_time(&p, &m))
            return -EINVAL;
        if (byte(&p, ".,"))
            p += strspn(p, "0123456789");
        if (!offset(&p, &east) || *p)
            return -EINVAL;
    }
    if (!is_sane(&m))
        return -EINVAL;
    *epoch_s = epoch_of(&m) - east;
    return 0;
}

static bool month(const char **p, struct moment *m)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (!strncasecmp(*p, names + 3 * i, 3)) {
            m->month = i + 1;
            *p += 3;
            return true;
        }
    }
    return false;
}

/* Two digits mean the century that makes the year from 1970 to 2069. */
static bool year(const char **p, struct moment *m)
{
    if (digits(p, 4, &m->year))
        return true;
    if (!digits(p, 2, &m->year))
        return false;
    m->year += m->year < 70 ? 2000 : 1900;
    return true;
}

/* "Nov  6 08:49:37 1994" */
static bool asctime_rest(const char **p, struct moment *m)
{
    if (!month(p, m) || !byte(p, " "))
        return false;
    bool day = byte(p, " ") ? digits(p, 1, &m->day) : digits(p, 2, &m->day);
    return day && byte(p, " ") && clock_time(p, m) && byte(p, " ") && digits(p, 4, &m->year);
}

/* "06 Nov 1994 08:49:37 GMT", "06-Nov-94 08:49:37 GMT" */
static bool http_rest(const char **p, struct moment *m)
{
    if (!digits(p, 2, &m->day) || !byte(p, " -") || !month(p, m) || !byte(p, " -") || !year(p, m) ||
        !byte(p, " ") || !clock_time(p, m) || strcmp(*p, " GMT"))
        return false;
    *p += strlen(*p);
    return true;
}

int date_from_http(const char *text, int64_t *epoch_s)
{
    struct moment m = {0};
    const char *p = text + strcspn(text, ", ");
    bool comma = byte(&p, ",");
    if (!byte(&p, " "))
        return -EINVAL;
    bool read = comma ? http_rest(&p, &m) : asctime_rest(&p, &m);
    if (!read || *p || !is_sane(&m))
        return -EINVAL;
    *epoch_s = epoch_of(&m);
    return 0;
}
