/*
 * Which files the backend takes, by their names.
 */
#ifndef BACKEND_MIME_H
#define BACKEND_MIME_H

/* The media type of a supported name (static), or NULL: unsupported. */
const char *mime_of(const char *name);

#endif
