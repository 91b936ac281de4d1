/*
 * A helper thread for file data, so that no slow disk holds up the network.
 *
 * Jobs run one after the other, in order of submission, on the helper; then `done` runs on the
 * loop's thread. A job is embedded in what it is about and must live until its `done` ran: it
 * cannot be taken back.
 */
#ifndef LIPSYNC_DISK_H
#define LIPSYNC_DISK_H

#include "loop.h"

struct disk;

struct disk_job {
    struct disk_job *next;
    struct disk *disk;
    struct loop_task task;
    void (*work)(struct disk_job *job); /* on the helper: may block */
    void (*done)(struct disk_job *job); /* on the loop; may free the job, or submit it again */
};

/* NULL with *error set to a negative errno. All signals are blocked in the thread. */
struct disk *disk_new(struct loop *loop, int *error);

/* Waits for the jobs that were submitted and for their `done` (also for those that they submit),
 * then ends the thread. From neither the helper nor the loop, which must be running still. NULL is
 * fine. */
void disk_free(struct disk *disk);

/* From any thread; never waits. */
void disk_submit(struct disk *disk, struct disk_job *job);

#endif
