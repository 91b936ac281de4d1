#include "fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"
#include "words.h"

struct closing {
    struct later later;
    int fd;
};

int fs_init(struct fs *fs, struct options *options)
{
    pthread_condattr_t attr;

    memset(fs, 0, sizeof(*fs));
    pthread_mutex_init(&fs->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&fs->uploads_ended, &attr);
    pthread_condattr_destroy(&attr);
    STAILQ_INIT(&fs->later);
    TAILQ_INIT(&fs->askers);
    fs->options = options;
    fs->uid = geteuid();
    fs->gid = getegid();
    fs->started = fs->root_changed = fs->balance_changed = clock_now();
    fs->next_session = 1;
    fs->next_ino = INO_FIRST;
    fs->cache_dir = -1;
    fs->readme = words_readme(options->render_manual, options->max_upload);
    if (!fs->readme)
        return -ENOMEM;
    fs->readme_len = strlen(fs->readme);
    return 0;
}

void fs_lock(struct fs *fs)
{
    pthread_mutex_lock(&fs->lock);
}

void fs_unlock(struct fs *fs)
{
    STAILQ_HEAD(, later) todo = STAILQ_HEAD_INITIALIZER(todo);
    struct later *l;

    STAILQ_CONCAT(&todo, &fs->later);
    pthread_mutex_unlock(&fs->lock);
    while ((l = STAILQ_FIRST(&todo))) {
        STAILQ_REMOVE_HEAD(&todo, link);
        l->run(l);
    }
}

void fs_defer(struct fs *fs, struct later *l, void (*run)(struct later *l))
{
    l->run = run;
    STAILQ_INSERT_TAIL(&fs->later, l, link);
}

static void do_close(struct later *l)
{
    struct closing *c = container_of(l, struct closing, later);

    close(c->fd);
    free(c);
}

void fs_defer_close(struct fs *fs, int fd)
{
    struct closing *c = malloc(sizeof(*c));

    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    fs_defer(fs, &c->later, do_close);
}

struct timespec clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t;
}
