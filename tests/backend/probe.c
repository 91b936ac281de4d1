#include "probe.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "child.h"

#define REPORT_MAX (4u << 20)    /* bytes of ffprobe's report on a file */
#define PACKETS_MAX (256u << 20) /* bytes of its list of packets */

static double number(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);
    const char *text = cJSON_GetStringValue(v);
    double n = cJSON_IsNumber(v) ? v->valuedouble : text ? strtod(text, NULL) : 0;

    return isfinite(n) ? n : 0;
}

static const char *text_of(const cJSON *o, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

    return text ? text : "";
}

/* "30000/1001" */
static double ratio(const char *text)
{
    char *end;
    double above = strtod(text, &end);
    double below = *end == '/' ? strtod(end + 1, NULL) : 1;

    return below > 0 && above > 0 ? above / below : 0;
}

static void look_at_stream(const cJSON *s, struct media_info *out)
{
    const cJSON *disposition = cJSON_GetObjectItemCaseSensitive(s, "disposition");
    const char *type = text_of(s, "codec_type");

    if (strcmp(type, "audio") == 0)
        out->has_sound = true;
    if (strcmp(type, "video") != 0 || number(disposition, "attached_pic") || out->width)
        return;
    out->width = (int)number(s, "width");
    out->height = (int)number(s, "height");
    out->fps = ratio(text_of(s, "avg_frame_rate"));
    const char *format = text_of(s, "pix_fmt");
    out->copyable = strcmp(text_of(s, "codec_name"), "h264") == 0 &&
                    (strcmp(format, "yuv420p") == 0 || strcmp(format, "yuvj420p") == 0);
}

static void judge(const cJSON *report, struct media_info *out)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(report, "format");
    const char *name = text_of(format, "format_name");
    const cJSON *s;

    cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(report, "streams"))
        look_at_stream(s, out);
    out->start_s = number(format, "start_time");
    out->duration_s = fmax(number(format, "duration"), 0);
    bool still = strstr(name, "_pipe") || strcmp(name, "image2") == 0 || strcmp(name, "gif") == 0;
    if (out->width > 0)
        out->kind = still ? MEDIA_IMAGE : MEDIA_VIDEO;
    else if (out->has_sound)
        out->kind = MEDIA_AUDIO;
}

int probe_file(const char *path, int stop_fd, struct media_info *out)
{
    const char *const argv[] = {
        "ffprobe", "-v", "error", PROBE_GUARD, "-show_format", "-show_streams", "-print_format",
        "json",    "-i", path,    NULL};
    struct bytes report;

    memset(out, 0, sizeof(*out));
    bytes_init(&report, REPORT_MAX);
    int err = child_run(argv, stop_fd, &report, NULL);
    cJSON *root = err == 0 && report.data ? cJSON_ParseWithLength(report.data, report.len) : NULL;
    if (root)
        judge(root, out);
    cJSON_Delete(root);
    bytes_release(&report);
    return err == -ECANCELED ? err : 0;
}

struct packet_scan {
    double cut_s;
    double last_s;
    bool after_cut; /* packets from the cut on have come */
    bool clean;     /* ... and began with a key, with none from before it after */
    size_t before;  /* frames until then */
    struct picture_time *out;
};

/* "12.345000,0.040000,K_": time, length, flags. */
static void look_at_packet(struct packet_scan *scan, const char *line)
{
    char *end;
    double at = strtod(line, &end);

    if (end == line || *end != ',')
        return;
    char *length = end + 1;
    double lasts = strtod(length, &end);
    const char *flags = strchr(length, ',');
    if (!flags)
        return;
    if (strchr(flags, 'D')) {
        scan->out->hidden = true;
        return;
    }
    struct picture_time *out = scan->out;
    if (out->frames == 0 || at < out->first_s)
        out->first_s = at;
    if (out->frames == 0 || at > scan->last_s) {
        scan->last_s = at;
        out->frame_s = isfinite(lasts) ? lasts : 0;
    }
    out->frames++;
    double cut = out->first_s + scan->cut_s - 0.001;
    if (!scan->after_cut && at >= cut) {
        scan->after_cut = true;
        scan->before = out->frames - 1;
        scan->clean = strchr(flags, 'K') && at < cut + 0.002;
    } else if (scan->after_cut && at < cut) {
        scan->clean = false;
    }
}

int probe_picture(const char *path, double cut_s, int stop_fd, struct picture_time *out)
{
    const char *const argv[] = {"ffprobe",
                                "-v",
                                "error",
                                PROBE_GUARD,
                                "-select_streams",
                                "v:0",
                                "-show_entries",
                                "packet=pts_time,duration_time,flags",
                                "-of",
                                "csv=p=0",
                                "-i",
                                path,
                                NULL};
    struct packet_scan scan = {.cut_s = cut_s, .out = out};
    struct bytes list;

    memset(out, 0, sizeof(*out));
    bytes_init(&list, PACKETS_MAX);
    int err = child_run(argv, stop_fd, &list, NULL);
    char *rest = err == 0 ? list.data : NULL;
    for (char *line; (line = strsep(&rest, "\n"));)
        look_at_packet(&scan, line);
    bytes_release(&list);
    if (err == -ECANCELED)
        return err;
    if (out->frames == 0)
        return -EPROTO;
    if (out->frame_s <= 0 && out->frames > 1)
        out->frame_s = (scan.last_s - out->first_s) / (double)(out->frames - 1);
    out->duration_s = scan.last_s - out->first_s + out->frame_s;
    out->cut_frames = scan.after_cut && scan.clean ? scan.before : 0;
    return 0;
}

double probe_length(const struct media_info *info, const struct picture_time *picture)
{
    return fmax(picture->duration_s, info->start_s + info->duration_s - picture->first_s);
}
