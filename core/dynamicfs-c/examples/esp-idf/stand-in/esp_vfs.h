/* Stands in for ESP-IDF's <esp_vfs.h>: what the shim uses of it, as of ESP-IDF 5. The directory and its entry
 * are those of ESP-IDF's <sys/dirent.h>. */
#ifndef STAND_IN_ESP_VFS_H
#define STAND_IN_ESP_VFS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL (-1)
#define ESP_VFS_FLAG_CONTEXT_PTR 1

typedef struct {
    uint16_t dd_vfs_idx;
    uint16_t dd_rsv;
} vfs_dir;
#define DIR vfs_dir

struct vfs_dirent {
    ino_t d_ino;
    uint8_t d_type;
    char d_name[256];
};
#define dirent vfs_dirent
#define DT_UNKNOWN 0
#define DT_REG 1
#define DT_DIR 2

typedef struct {
    int flags;
    ssize_t (*write_p)(void *, int, const void *, size_t);
    off_t (*lseek_p)(void *, int, off_t, int);
    ssize_t (*read_p)(void *, int, void *, size_t);
    int (*open_p)(void *, const char *, int, int);
    int (*close_p)(void *, int);
    int (*fstat_p)(void *, int, struct stat *);
    int (*stat_p)(void *, const char *, struct stat *);
    int (*unlink_p)(void *, const char *);
    int (*rename_p)(void *, const char *, const char *);
    DIR *(*opendir_p)(void *, const char *);
    struct dirent *(*readdir_p)(void *, DIR *);
    int (*closedir_p)(void *, DIR *);
    int (*mkdir_p)(void *, const char *, mode_t);
    int (*rmdir_p)(void *, const char *);
    int (*fsync_p)(void *, int);
    int (*ftruncate_p)(void *, int, off_t);
} esp_vfs_t;

esp_err_t esp_vfs_register(const char *base_path, const esp_vfs_t *vfs, void *context);
esp_err_t esp_vfs_unregister(const char *base_path);

#endif
