/*
 * FUSE's requests: decoded, handed on, answered. Workers run these; none waits for the network.
 * What changes names is in ops_names.c, what has to do with open files in ops_files.c and
 * ops_read.c.
 */
#ifndef LIPSYNCFS_OPS_H
#define LIPSYNCFS_OPS_H

#include "fs.h"
#include "tree.h"

extern const struct fuse_lowlevel_ops ops_table;

/* Fills in what the answer to a lookup needs. Lock held. */
void ops_entry(struct fs *fs, const struct node *node, struct fuse_entry_param *e);

/* Tells whoever started the program that the mount answers (main.c). */
void ops_on_ready(void (*ready)(void));

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                const char *newname, unsigned int flags);
void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                struct fuse_file_info *fi);

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void ops_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
               struct fuse_file_info *fi);
void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                   struct fuse_file_info *fi);
void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
              struct fuse_pollhandle *ph);

#endif
