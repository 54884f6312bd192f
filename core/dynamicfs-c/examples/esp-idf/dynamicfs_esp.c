#include "dynamicfs_esp.h"
#include <errno.h>
#include <string.h>

static dfs_volume *volume_of(void *context) { return &((dynamicfs_esp *)context)->volume; }

/* What the VFS expects: -1, and errno. */
static int64_t told(int64_t done) {
    if (done >= 0) return done;
    errno = (int)-done;
    return -1;
}

static int esp_open(void *context, const char *path, int asked, int mode) {
    uint32_t flags = 0;
    (void)mode;
    if ((asked & O_ACCMODE) != O_WRONLY) flags |= DFS_OPEN_READ;
    if ((asked & O_ACCMODE) != O_RDONLY) flags |= DFS_OPEN_WRITE;
    if (asked & O_APPEND) flags |= DFS_OPEN_APPEND;
    if (asked & O_CREAT) flags |= DFS_VOLUME_CREATE;
    if ((asked & O_CREAT) && (asked & O_EXCL)) flags |= DFS_OPEN_NEW;
    if (asked & O_TRUNC) flags |= DFS_VOLUME_TRUNCATE;
    return (int)told(dfs_volume_open(volume_of(context), path, flags));
}

static int esp_close(void *context, int file) { return (int)told(dfs_volume_close(volume_of(context), file)); }

static ssize_t esp_read(void *context, int file, void *bytes, size_t count) {
    return (ssize_t)told(dfs_volume_read(volume_of(context), file, bytes, count));
}

static ssize_t esp_write(void *context, int file, const void *bytes, size_t count) {
    return (ssize_t)told(dfs_volume_write(volume_of(context), file, bytes, count));
}

/* SEEK_SET, SEEK_CUR and SEEK_END have the values of DFS_SEEK_. */
static off_t esp_lseek(void *context, int file, off_t offset, int whence) {
    return (off_t)told(dfs_volume_seek(volume_of(context), file, offset, whence));
}

static int esp_fsync(void *context, int file) { return (int)told(dfs_volume_sync(volume_of(context), file)); }

static int esp_ftruncate(void *context, int file, off_t size) {
    if (size < 0) return (int)told(-EINVAL);
    return (int)told(dfs_volume_truncate(volume_of(context), file, (uint64_t)size));
}

static int fill(struct stat *out, const dfs_stat_info *stat, int failed) {
    if (failed) return (int)told(failed);
    memset(out, 0, sizeof *out);
    out->st_mode = (stat->kind == DFS_KIND_DIRECTORY ? S_IFDIR : S_IFREG) | stat->mode;
    out->st_size = (off_t)stat->size;
    out->st_ino = (ino_t)stat->object;
    out->st_nlink = (nlink_t)stat->links;
    out->st_mtime = (time_t)stat->modified_seconds;
    return 0;
}

static int esp_fstat(void *context, int file, struct stat *out) {
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    return fill(out, &stat, dfs_volume_fstat(volume_of(context), file, &stat));
}

static int esp_stat(void *context, const char *path, struct stat *out) {
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    return fill(out, &stat, dfs_volume_stat(volume_of(context), path, &stat));
}

static int esp_unlink(void *context, const char *path) {
    return (int)told(dfs_volume_unlink(volume_of(context), path));
}

static int esp_rename(void *context, const char *from, const char *to) {
    return (int)told(dfs_volume_rename(volume_of(context), from, to));
}

static int esp_mkdir(void *context, const char *path, mode_t mode) {
    (void)mode;
    return (int)told(dfs_volume_mkdir(volume_of(context), path));
}

static int esp_rmdir(void *context, const char *path) {
    return (int)told(dfs_volume_rmdir(volume_of(context), path));
}

static DIR *esp_opendir(void *context, const char *path) {
    int number = (int)told(dfs_volume_opendir(volume_of(context), path));
    return number < 0 ? NULL : &((dynamicfs_esp *)context)->dirs[number].vfs;
}

static int number_of(void *context, DIR *dir) {
    return (int)((dynamicfs_esp_dir *)dir - ((dynamicfs_esp *)context)->dirs);
}

static struct dirent *esp_readdir(void *context, DIR *dir) {
    dfs_entry found;
    if (told(dfs_volume_readdir(volume_of(context), number_of(context, dir), &found)) <= 0) return NULL;
    struct dirent *entry = &((dynamicfs_esp_dir *)dir)->entry;
    entry->d_ino = (ino_t)found.object;
    entry->d_type = found.kind == DFS_KIND_DIRECTORY ? DT_DIR : found.kind == DFS_KIND_FILE ? DT_REG : DT_UNKNOWN;
    memcpy(entry->d_name, found.name, sizeof found.name);
    return entry;
}

static int esp_closedir(void *context, DIR *dir) {
    return (int)told(dfs_volume_closedir(volume_of(context), number_of(context, dir)));
}

static const esp_vfs_t dynamicfs = {
    .flags = ESP_VFS_FLAG_CONTEXT_PTR,
    .open_p = esp_open,
    .close_p = esp_close,
    .read_p = esp_read,
    .write_p = esp_write,
    .lseek_p = esp_lseek,
    .fsync_p = esp_fsync,
    .ftruncate_p = esp_ftruncate,
    .fstat_p = esp_fstat,
    .stat_p = esp_stat,
    .unlink_p = esp_unlink,
    .rename_p = esp_rename,
    .mkdir_p = esp_mkdir,
    .rmdir_p = esp_rmdir,
    .opendir_p = esp_opendir,
    .readdir_p = esp_readdir,
    .closedir_p = esp_closedir,
};

esp_err_t dynamicfs_esp_mount(dynamicfs_esp *card, const char *base_path) {
    if (told(dfs_volume_mount(&card->volume)) < 0) return ESP_FAIL;
    esp_err_t failed = esp_vfs_register(base_path, &dynamicfs, card);
    if (failed) dfs_volume_unmount(&card->volume);
    return failed;
}

esp_err_t dynamicfs_esp_unmount(dynamicfs_esp *card, const char *base_path) {
    if (told(dfs_volume_unmount(&card->volume)) < 0) return ESP_FAIL;
    return esp_vfs_unregister(base_path);
}
