/* DynamicFS below ESP-IDF's VFS. The program sets `config` of a volume, and mounts:
 *
 *     static dynamicfs_esp card = {.volume.config = &config};
 *
 *     dynamicfs_esp_mount(&card, "/dfs");
 *
 * Tasks share the VFS: `config.lock` takes a recursive mutex (../freertos). */
#ifndef DYNAMICFS_ESP_H
#define DYNAMICFS_ESP_H

#include "../volume/volume.h"
#include <esp_vfs.h>

/* An open directory; the VFS asks for its own part to be the first. */
typedef struct {
    DIR vfs;
    struct dirent entry;
} dynamicfs_esp_dir;

typedef struct {
    dfs_volume volume;
    dynamicfs_esp_dir dirs[DFS_VOLUME_DIRS];
} dynamicfs_esp;

/* Mounts, and puts the pool below a path; ESP_OK, or ESP_FAIL and errno. */
esp_err_t dynamicfs_esp_mount(dynamicfs_esp *card, const char *base_path);
esp_err_t dynamicfs_esp_unmount(dynamicfs_esp *card, const char *base_path);

#endif
