/* Stands in for Zephyr's <zephyr/fs/fs.h> and <zephyr/fs/fs_sys.h>: what the shim uses of them, as of Zephyr
 * 3.6. */
#ifndef STAND_IN_FS_H
#define STAND_IN_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_FILE_NAME 255
#define FS_TYPE_EXTERNAL_BASE 2

#define FS_O_READ 0x01
#define FS_O_WRITE 0x02
#define FS_O_CREATE 0x10
#define FS_O_APPEND 0x20
#define FS_O_TRUNC 0x40

typedef uint8_t fs_mode_t;

enum fs_dir_entry_type { FS_DIR_ENTRY_FILE = 0, FS_DIR_ENTRY_DIR };

struct fs_file_system_t;

struct fs_mount_t {
    int type;
    const char *mnt_point;
    void *fs_data;
    void *storage_dev;
    size_t mountp_len;
    const struct fs_file_system_t *fs;
    uint8_t flags;
};

struct fs_file_t {
    void *filep;
    const struct fs_mount_t *mp;
    fs_mode_t flags;
};

struct fs_dir_t {
    void *dirp;
    const struct fs_mount_t *mp;
};

struct fs_dirent {
    enum fs_dir_entry_type type;
    char name[MAX_FILE_NAME + 1];
    size_t size;
};

struct fs_statvfs {
    unsigned long f_bsize, f_frsize, f_blocks, f_bfree;
};

struct fs_file_system_t {
    int (*open)(struct fs_file_t *, const char *, fs_mode_t);
    ssize_t (*read)(struct fs_file_t *, void *, size_t);
    ssize_t (*write)(struct fs_file_t *, const void *, size_t);
    int (*lseek)(struct fs_file_t *, off_t, int);
    off_t (*tell)(struct fs_file_t *);
    int (*truncate)(struct fs_file_t *, off_t);
    int (*sync)(struct fs_file_t *);
    int (*close)(struct fs_file_t *);
    int (*opendir)(struct fs_dir_t *, const char *);
    int (*readdir)(struct fs_dir_t *, struct fs_dirent *);
    int (*closedir)(struct fs_dir_t *);
    int (*mount)(struct fs_mount_t *);
    int (*unmount)(struct fs_mount_t *);
    int (*unlink)(struct fs_mount_t *, const char *);
    int (*rename)(struct fs_mount_t *, const char *, const char *);
    int (*mkdir)(struct fs_mount_t *, const char *);
    int (*stat)(struct fs_mount_t *, const char *, struct fs_dirent *);
    int (*statvfs)(struct fs_mount_t *, const char *, struct fs_statvfs *);
};

int fs_register(int type, const struct fs_file_system_t *fs);

#endif
