/* A pool as POSIX programs expect a filesystem: numbers for open files, negative errno values, and changes
 * without transactions. The shims for Zephyr and ESP-IDF stand on it.
 *
 * What becomes durable when: names are changed durably when the call is back (mkdir, rename, unlink, and what
 * they are committed with). Contents are durable after a sync or a close of any file, both of which commit
 * whatever is open. A power cut leaves the state of the last commit, whole. After an error of a disk all
 * since then is undone, and files that were made since then answer EIO until they are closed.
 *
 * Every function may be called by any thread where dfs_config.lock is a recursive lock. */
#ifndef DFS_VOLUME_H
#define DFS_VOLUME_H

#include "dynamicfs.h"

#ifndef DFS_VOLUME_FILES
#define DFS_VOLUME_FILES 4 /* open at a time, 48 bytes each */
#endif
#ifndef DFS_VOLUME_DIRS
#define DFS_VOLUME_DIRS 2
#endif

/* Beside DFS_OPEN_READ, _WRITE, _APPEND and _NEW. */
#define DFS_VOLUME_CREATE 0x100u
#define DFS_VOLUME_TRUNCATE 0x200u

typedef struct dfs_volume {
    const dfs_config *config; /* set by the caller; the rest is zero */
    dfs_pool pool;
    dfs_file files[DFS_VOLUME_FILES];
    dfs_dir dirs[DFS_VOLUME_DIRS];
    uint8_t file_is_used[DFS_VOLUME_FILES], dir_is_used[DFS_VOLUME_DIRS];
} dfs_volume;

/* The errno value of a code, positive; 0 for what is no error. */
int dfs_errno(int32_t code);

/* All return 0 or more, or a negative errno value. */
int dfs_volume_mount(dfs_volume *volume);
int dfs_volume_unmount(dfs_volume *volume); /* EBUSY while something is open */
int dfs_volume_open(dfs_volume *volume, const char *path, uint32_t flags); /* a number of a file */
int dfs_volume_close(dfs_volume *volume, int file);
int32_t dfs_volume_read(dfs_volume *volume, int file, void *bytes, size_t count);
int32_t dfs_volume_write(dfs_volume *volume, int file, const void *bytes, size_t count);
int64_t dfs_volume_seek(dfs_volume *volume, int file, int64_t offset, int32_t whence);
int dfs_volume_truncate(dfs_volume *volume, int file, uint64_t size);
int dfs_volume_sync(dfs_volume *volume, int file);
int dfs_volume_fstat(dfs_volume *volume, int file, dfs_stat_info *out);
int dfs_volume_stat(dfs_volume *volume, const char *path, dfs_stat_info *out);
int dfs_volume_mkdir(dfs_volume *volume, const char *path);
int dfs_volume_remove(dfs_volume *volume, const char *path); /* a file, or an empty directory */
int dfs_volume_unlink(dfs_volume *volume, const char *path);
int dfs_volume_rmdir(dfs_volume *volume, const char *path);
int dfs_volume_rename(dfs_volume *volume, const char *from, const char *to);
int dfs_volume_opendir(dfs_volume *volume, const char *path); /* a number of a directory */
int dfs_volume_readdir(dfs_volume *volume, int dir, dfs_entry *out); /* 1, or 0 behind the last */
int dfs_volume_closedir(dfs_volume *volume, int dir);

#endif
