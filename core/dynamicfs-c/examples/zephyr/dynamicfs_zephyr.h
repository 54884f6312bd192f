/* DynamicFS below Zephyr's VFS. The program sets `config` of a volume, and mounts:
 *
 *     static dfs_volume volume = {.config = &config};
 *     static struct fs_mount_t mount = {.type = DYNAMICFS_TYPE, .mnt_point = "/dfs", .fs_data = &volume};
 *
 *     dynamicfs_zephyr_register();
 *     fs_mount(&mount);
 *
 * With several threads `config.lock` takes a k_mutex, which is recursive, and returns what k_mutex_lock
 * does. */
#ifndef DYNAMICFS_ZEPHYR_H
#define DYNAMICFS_ZEPHYR_H

#include "../volume/volume.h"
#include <zephyr/fs/fs.h>

#ifndef DYNAMICFS_TYPE
#define DYNAMICFS_TYPE FS_TYPE_EXTERNAL_BASE
#endif

int dynamicfs_zephyr_register(void);

#endif
