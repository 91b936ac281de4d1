/*
 * What a media file really is, asked of ffprobe. Blocks; every function gives up when `stop_fd` is
 * readable.
 *
 * Files are hostile: only the formats that the protocol names are opened, and nothing but the file
 * itself.
 */
#ifndef BACKEND_PROBE_H
#define BACKEND_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arguments that hold ffmpeg and ffprobe to the file: for in front of every -i. */
#define PROBE_GUARD                                                                                \
    "-protocol_whitelist", "file,pipe", "-format_whitelist",                                       \
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mp3,wav,aac,gif,png_pipe,jpeg_pipe,webp_pipe,"  \
        "image2"

enum media_kind {
    MEDIA_UNKNOWN, /* ffprobe could not read it */
    MEDIA_VIDEO,
    MEDIA_AUDIO,
    MEDIA_IMAGE,
};

struct media_info {
    enum media_kind kind;
    double start_s;    /* the container's first timestamp */
    double duration_s; /* of the container; 0: unknown */
    int width, height; /* 0: no picture */
    double fps;
    bool has_sound;
    bool copyable; /* H.264 of a kind that every player shows in MP4 */
};

/* Always fills *out; unreadable files are MEDIA_UNKNOWN. 0, or -ECANCELED. */
int probe_file(const char *path, int stop_fd, struct media_info *out);

/* The picture in time, from its packets. */
struct picture_time {
    double first_s;    /* timestamp of the first frame shown */
    double duration_s; /* to the end of the last frame shown */
    double frame_s;    /* length of the last frame */
    size_t frames;
    bool hidden;       /* there are frames that the container says not to show */
    size_t cut_frames; /* frames before `cut_s`, if the file can be cut there: a key frame is shown
                        * then, and nothing before it comes later; else 0 */
};

/* `cut_s`: see cut_frames, seconds from the first frame. 0, -EPROTO (no picture), or -ECANCELED. */
int probe_picture(const char *path, double cut_s, int stop_fd, struct picture_time *out);

/* How long the clip lasts from its first frame on: its picture, or its sound if that goes on. */
double probe_length(const struct media_info *info, const struct picture_time *picture);

#endif
