/*
 * File managers that open what they list to see what type it is, and do not say so by O_NOATIME as
 * others do. They are known by the name of their process, so a copy that this process makes itself
 * looks the same.
 *
 * Read from /proc without waiting for the process. No state, any thread.
 */
#ifndef LIPSYNC_SNIFFERS_H
#define LIPSYNC_SNIFFERS_H

#include <stdbool.h>
#include <sys/types.h>

/* Is it a thread of such a program? 0, a thread in another pid namespace, is none. */
bool sniffers_look(pid_t tid);

#endif
