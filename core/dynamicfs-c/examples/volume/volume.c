#include "volume.h"
#include <errno.h>
#include <string.h>

int dfs_errno(int32_t code) {
    if (code >= 0) return 0;
    switch (code) {
    case DFS_ERR_POINTER: return EFAULT;
    case DFS_ERR_STRUCT:
    case DFS_ERR_CALLBACK:
    case DFS_ERR_ARGUMENT:
    case DFS_ERR_INTO_ITSELF:
    case DFS_ERR_PARAMETER:
    case DFS_ERR_DISK_COUNT:
    case DFS_ERR_GEOMETRY: return EINVAL;
    case DFS_ERR_NOT_MOUNTED:
    case DFS_ERR_NO_POOL:
    case DFS_ERR_UNFINISHED:
    case DFS_ERR_MISSING: return ENODEV;
    case DFS_ERR_MOUNTED:
    case DFS_ERR_REENTERED:
    case DFS_ERR_LOCK:
    case DFS_ERR_IN_USE: return EBUSY;
    case DFS_ERR_HANDLE:
    case DFS_ERR_ACCESS: return EBADF;
    case DFS_ERR_NOT_FOUND: return ENOENT;
    case DFS_ERR_EXISTS: return EEXIST;
    case DFS_ERR_NOT_A_DIRECTORY: return ENOTDIR;
    case DFS_ERR_IS_A_DIRECTORY: return EISDIR;
    case DFS_ERR_NOT_EMPTY: return ENOTEMPTY;
    case DFS_ERR_NAME: return EINVAL;
    case DFS_ERR_TOO_LARGE: return EFBIG;
    case DFS_ERR_PINS_FULL: return ENFILE;
    case DFS_ERR_NO_SPACE:
    case DFS_ERR_NO_SPACE_BELOW: return ENOSPC;
    case DFS_ERR_NEEDS_MEMORY: return ENOMEM;
    case DFS_ERR_READ_ONLY: return EROFS;
    default: return EIO;
    }
}

/* One function at a time, and no other's changes between two calls of one. */
static int lock(dfs_volume *volume) {
    const dfs_config *config = volume->config;
    return config->lock && config->lock(config->lock_context) != 0 ? -EBUSY : 0;
}

static void unlock(dfs_volume *volume) {
    const dfs_config *config = volume->config;
    if (config->unlock) config->unlock(config->lock_context);
}

/* A transaction to change something in: the open one, or a new one. */
static int32_t begin(dfs_volume *volume) {
    int32_t done = dfs_begin(&volume->pool);
    return done == DFS_ERR_IN_TRANSACTION ? DFS_OK : done;
}

/* What is told of a change that failed. Where it may have failed half-way all that is not durable is
 * undone. */
static int32_t end(dfs_volume *volume, int32_t done) {
    if (done == DFS_ERR_HASH_FULL || (done <= DFS_ERR_UNREADABLE && done != DFS_ERR_NO_SPACE && done != DFS_ERR_READ_ONLY))
        dfs_abort(&volume->pool);
    return done;
}

/* A change of names is durable at once, with all that was written before. */
static int32_t commit(dfs_volume *volume, int32_t done) {
    return done < 0 ? end(volume, done) : dfs_commit(&volume->pool);
}

int dfs_volume_mount(dfs_volume *volume) { return -dfs_errno(dfs_mount(&volume->pool, volume->config)); }

int dfs_volume_unmount(dfs_volume *volume) {
    for (int file = 0; file < DFS_VOLUME_FILES; file++)
        if (volume->file_is_used[file]) return -EBUSY;
    for (int dir = 0; dir < DFS_VOLUME_DIRS; dir++)
        if (volume->dir_is_used[dir]) return -EBUSY;
    int32_t done = dfs_in_transaction(&volume->pool) == 1 ? dfs_commit(&volume->pool) : DFS_OK;
    int32_t unmounted = dfs_unmount(&volume->pool);
    return -dfs_errno(done < 0 ? done : unmounted);
}

static int32_t open_file(dfs_volume *volume, dfs_file *file, const char *path, uint32_t flags) {
    uint32_t plain = flags & ~(DFS_VOLUME_CREATE | DFS_VOLUME_TRUNCATE);
    if (!(flags & (DFS_VOLUME_CREATE | DFS_VOLUME_TRUNCATE)))
        return dfs_open(&volume->pool, file, path, plain);
    int32_t done = begin(volume);
    if (done < 0) return done;
    if (flags & DFS_VOLUME_CREATE)
        done = dfs_create(&volume->pool, file, path, plain | DFS_OPEN_WRITE);
    else
        done = dfs_open(&volume->pool, file, path, plain | DFS_OPEN_WRITE);
    if (done >= 0 && flags & DFS_VOLUME_TRUNCATE) {
        done = dfs_truncate(&volume->pool, file, 0);
        if (done < 0) dfs_close(&volume->pool, file);
    }
    return end(volume, done);
}

int dfs_volume_open(dfs_volume *volume, const char *path, uint32_t flags) {
    int file = 0, failed = lock(volume);
    if (failed) return failed;
    while (file < DFS_VOLUME_FILES && volume->file_is_used[file]) file++;
    if (file == DFS_VOLUME_FILES) {
        unlock(volume);
        return -ENFILE;
    }
    int32_t done = open_file(volume, &volume->files[file], path, flags);
    if (done >= 0) volume->file_is_used[file] = 1;
    unlock(volume);
    return done < 0 ? -dfs_errno(done) : file;
}

/* The file of a number, if it is open; the volume is locked then. */
static int hold(dfs_volume *volume, int number, dfs_file **file) {
    int failed = lock(volume);
    if (failed) return failed;
    if (number < 0 || number >= DFS_VOLUME_FILES || !volume->file_is_used[number]) {
        unlock(volume);
        return -EBADF;
    }
    *file = &volume->files[number];
    return 0;
}

static int release(dfs_volume *volume, int32_t done) {
    unlock(volume);
    return done < 0 ? -dfs_errno(done) : done;
}

int dfs_volume_close(dfs_volume *volume, int number) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    if (failed) return failed;
    int32_t done = dfs_in_transaction(&volume->pool) == 1 ? dfs_commit(&volume->pool) : DFS_OK;
    int32_t closed = dfs_close(&volume->pool, file);
    volume->file_is_used[number] = 0;
    return release(volume, done < 0 ? done : closed);
}

int32_t dfs_volume_read(dfs_volume *volume, int number, void *bytes, size_t count) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    return failed ? failed : release(volume, dfs_read(&volume->pool, file, bytes, count));
}

int32_t dfs_volume_write(dfs_volume *volume, int number, const void *bytes, size_t count) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    if (failed) return failed;
    int32_t done = begin(volume);
    if (done >= 0) done = end(volume, dfs_write(&volume->pool, file, bytes, count));
    return release(volume, done);
}

int64_t dfs_volume_seek(dfs_volume *volume, int number, int64_t offset, int32_t whence) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    if (failed) return failed;
    int64_t position = dfs_lseek(&volume->pool, file, offset, whence);
    unlock(volume);
    return position < 0 ? -dfs_errno((int32_t)position) : position;
}

int dfs_volume_truncate(dfs_volume *volume, int number, uint64_t size) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    if (failed) return failed;
    int32_t done = begin(volume);
    if (done >= 0) done = end(volume, dfs_truncate(&volume->pool, file, size));
    return release(volume, done);
}

int dfs_volume_sync(dfs_volume *volume, int number) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    return failed ? failed : release(volume, dfs_fsync(&volume->pool, file));
}

int dfs_volume_fstat(dfs_volume *volume, int number, dfs_stat_info *out) {
    dfs_file *file;
    int failed = hold(volume, number, &file);
    return failed ? failed : release(volume, dfs_fstat(&volume->pool, file, out));
}

int dfs_volume_stat(dfs_volume *volume, const char *path, dfs_stat_info *out) {
    int failed = lock(volume);
    return failed ? failed : release(volume, dfs_stat(&volume->pool, path, out));
}

/* Changes a name, and makes that durable. */
static int change(dfs_volume *volume, int32_t (*how)(dfs_pool *, const char *), const char *path) {
    int failed = lock(volume);
    if (failed) return failed;
    int32_t done = begin(volume);
    if (done >= 0) done = commit(volume, how(&volume->pool, path));
    return release(volume, done);
}

int dfs_volume_mkdir(dfs_volume *volume, const char *path) { return change(volume, dfs_mkdir, path); }

int dfs_volume_unlink(dfs_volume *volume, const char *path) { return change(volume, dfs_unlink, path); }

int dfs_volume_rmdir(dfs_volume *volume, const char *path) { return change(volume, dfs_rmdir, path); }

int dfs_volume_remove(dfs_volume *volume, const char *path) {
    int failed = dfs_volume_unlink(volume, path);
    return failed == -EISDIR ? dfs_volume_rmdir(volume, path) : failed;
}

int dfs_volume_rename(dfs_volume *volume, const char *from, const char *to) {
    int failed = lock(volume);
    if (failed) return failed;
    int32_t done = begin(volume);
    if (done >= 0) done = commit(volume, dfs_rename(&volume->pool, from, to, DFS_RENAME_REPLACE));
    return release(volume, done);
}

int dfs_volume_opendir(dfs_volume *volume, const char *path) {
    int dir = 0, failed = lock(volume);
    if (failed) return failed;
    while (dir < DFS_VOLUME_DIRS && volume->dir_is_used[dir]) dir++;
    if (dir == DFS_VOLUME_DIRS) {
        unlock(volume);
        return -ENFILE;
    }
    int32_t done = dfs_opendir(&volume->pool, &volume->dirs[dir], path);
    if (done >= 0) volume->dir_is_used[dir] = 1;
    unlock(volume);
    return done < 0 ? -dfs_errno(done) : dir;
}

int dfs_volume_readdir(dfs_volume *volume, int dir, dfs_entry *out) {
    int failed = lock(volume);
    if (failed) return failed;
    if (dir < 0 || dir >= DFS_VOLUME_DIRS || !volume->dir_is_used[dir]) {
        unlock(volume);
        return -EBADF;
    }
    memset(out, 0, sizeof *out);
    out->struct_bytes = sizeof *out;
    return release(volume, dfs_readdir(&volume->pool, &volume->dirs[dir], out));
}

int dfs_volume_closedir(dfs_volume *volume, int dir) {
    int failed = lock(volume);
    if (failed) return failed;
    if (dir < 0 || dir >= DFS_VOLUME_DIRS || !volume->dir_is_used[dir]) {
        unlock(volume);
        return -EBADF;
    }
    volume->dir_is_used[dir] = 0;
    return release(volume, dfs_closedir(&volume->pool, &volume->dirs[dir]));
}
