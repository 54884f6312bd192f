#include "dynamicfs_zephyr.h"
#include <errno.h>
#include <string.h>

static dfs_volume *volume_of(const struct fs_mount_t *mount) { return mount->fs_data; }

/* Zephyr hands over paths with the mount point in front. */
static const char *below(const struct fs_mount_t *mount, const char *path) { return path + mount->mountp_len; }

/* A number of a file or directory, in a pointer that is null where nothing is open. */
static void *pack(int number) { return (void *)(intptr_t)(number + 1); }
static int unpack(const void *packed) { return (int)(intptr_t)packed - 1; }

static int zephyr_open(struct fs_file_t *file, const char *path, fs_mode_t mode) {
    uint32_t flags = 0;
    if (mode & FS_O_READ) flags |= DFS_OPEN_READ;
    if (mode & FS_O_WRITE) flags |= DFS_OPEN_WRITE;
    if (mode & FS_O_APPEND) flags |= DFS_OPEN_APPEND;
    if (mode & FS_O_CREATE) flags |= DFS_VOLUME_CREATE;
#ifdef FS_O_TRUNC
    if (mode & FS_O_TRUNC) flags |= DFS_VOLUME_TRUNCATE;
#endif
    int number = dfs_volume_open(volume_of(file->mp), below(file->mp, path), flags);
    if (number < 0) return number;
    file->filep = pack(number);
    return 0;
}

static ssize_t zephyr_read(struct fs_file_t *file, void *bytes, size_t count) {
    return dfs_volume_read(volume_of(file->mp), unpack(file->filep), bytes, count);
}

static ssize_t zephyr_write(struct fs_file_t *file, const void *bytes, size_t count) {
    return dfs_volume_write(volume_of(file->mp), unpack(file->filep), bytes, count);
}

/* FS_SEEK_SET, _CUR and _END have the values of DFS_SEEK_. */
static int zephyr_lseek(struct fs_file_t *file, off_t offset, int whence) {
    int64_t position = dfs_volume_seek(volume_of(file->mp), unpack(file->filep), offset, whence);
    return position < 0 ? (int)position : 0;
}

static off_t zephyr_tell(struct fs_file_t *file) {
    return (off_t)dfs_volume_seek(volume_of(file->mp), unpack(file->filep), 0, DFS_SEEK_CUR);
}

static int zephyr_truncate(struct fs_file_t *file, off_t size) {
    if (size < 0) return -EINVAL;
    return dfs_volume_truncate(volume_of(file->mp), unpack(file->filep), (uint64_t)size);
}

static int zephyr_sync(struct fs_file_t *file) {
    return dfs_volume_sync(volume_of(file->mp), unpack(file->filep));
}

static int zephyr_close(struct fs_file_t *file) {
    int failed = dfs_volume_close(volume_of(file->mp), unpack(file->filep));
    file->filep = NULL;
    return failed;
}

static int zephyr_opendir(struct fs_dir_t *dir, const char *path) {
    int number = dfs_volume_opendir(volume_of(dir->mp), below(dir->mp, path));
    if (number < 0) return number;
    dir->dirp = pack(number);
    return 0;
}

static void describe(struct fs_dirent *entry, uint32_t kind, uint64_t size) {
    entry->type = kind == DFS_KIND_DIRECTORY ? FS_DIR_ENTRY_DIR : FS_DIR_ENTRY_FILE;
    entry->size = kind == DFS_KIND_DIRECTORY ? 0 : (size_t)size;
}

static int set_name(struct fs_dirent *entry, const char *name, size_t bytes) {
    if (bytes > MAX_FILE_NAME) return -ENAMETOOLONG;
    memcpy(entry->name, name, bytes);
    entry->name[bytes] = 0;
    return 0;
}

/* The end is an entry with an empty name. */
static int zephyr_readdir(struct fs_dir_t *dir, struct fs_dirent *entry) {
    dfs_entry found;
    int more = dfs_volume_readdir(volume_of(dir->mp), unpack(dir->dirp), &found);
    if (more < 0) return more;
    if (more == 0) {
        entry->name[0] = 0;
        return 0;
    }
    describe(entry, found.kind, found.size);
    return set_name(entry, (const char *)found.name, found.name_bytes);
}

static int zephyr_closedir(struct fs_dir_t *dir) {
    int failed = dfs_volume_closedir(volume_of(dir->mp), unpack(dir->dirp));
    dir->dirp = NULL;
    return failed;
}

static int zephyr_mount(struct fs_mount_t *mount) { return dfs_volume_mount(volume_of(mount)); }

static int zephyr_unmount(struct fs_mount_t *mount) { return dfs_volume_unmount(volume_of(mount)); }

static int zephyr_unlink(struct fs_mount_t *mount, const char *path) {
    return dfs_volume_remove(volume_of(mount), below(mount, path));
}

static int zephyr_rename(struct fs_mount_t *mount, const char *from, const char *to) {
    return dfs_volume_rename(volume_of(mount), below(mount, from), below(mount, to));
}

static int zephyr_mkdir(struct fs_mount_t *mount, const char *path) {
    return dfs_volume_mkdir(volume_of(mount), below(mount, path));
}

static int zephyr_stat(struct fs_mount_t *mount, const char *path, struct fs_dirent *entry) {
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    int failed = dfs_volume_stat(volume_of(mount), below(mount, path), &stat);
    if (failed) return failed;
    const char *name = strrchr(path, '/') + 1;
    describe(entry, stat.kind, stat.size);
    return set_name(entry, name, strlen(name));
}

static int zephyr_statvfs(struct fs_mount_t *mount, const char *path, struct fs_statvfs *out) {
    dfs_health_info health = {.struct_bytes = sizeof health};
    (void)path;
    int32_t done = dfs_health(&volume_of(mount)->pool, &health);
    if (done < 0) return -dfs_errno(done);
    out->f_bsize = out->f_frsize = (unsigned long)health.block_bytes;
    out->f_blocks = (unsigned long)health.blocks;
    out->f_bfree = (unsigned long)(health.free_blocks + health.dead_blocks);
    return 0;
}

static const struct fs_file_system_t dynamicfs = {
    .open = zephyr_open,
    .read = zephyr_read,
    .write = zephyr_write,
    .lseek = zephyr_lseek,
    .tell = zephyr_tell,
    .truncate = zephyr_truncate,
    .sync = zephyr_sync,
    .close = zephyr_close,
    .opendir = zephyr_opendir,
    .readdir = zephyr_readdir,
    .closedir = zephyr_closedir,
    .mount = zephyr_mount,
    .unmount = zephyr_unmount,
    .unlink = zephyr_unlink,
    .rename = zephyr_rename,
    .mkdir = zephyr_mkdir,
    .stat = zephyr_stat,
    .statvfs = zephyr_statvfs,
};

int dynamicfs_zephyr_register(void) { return fs_register(DYNAMICFS_TYPE, &dynamicfs); }
