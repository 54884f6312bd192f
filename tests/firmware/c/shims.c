/* The shims of core/dynamicfs-c/examples, run over disks in memory: below stand-ins for the file systems of
 * Zephyr and ESP-IDF, and with a stand-in for a mutex of FreeRTOS that counts how deep it is taken. */
#include "board.h"
#include "disks.h"
#include "dynamicfs_esp.h"
#include "dynamicfs_freertos.h"
#include "dynamicfs_zephyr.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) return __FILE__ ":" TEXT(__LINE__) ": " #condition; \
    } while (0)

/* --- FreeRTOS ------------------------------------------------------------------------------------------- */

struct stand_in_mutex {
    unsigned depth, deepest, taken;
    int is_broken;
};

BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t mutex, TickType_t ticks) {
    (void)ticks;
    if (mutex->is_broken) return pdFALSE;
    mutex->taken++;
    if (++mutex->depth > mutex->deepest) mutex->deepest = mutex->depth;
    return pdTRUE;
}

BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t mutex) {
    if (mutex->depth == 0) abort();
    mutex->depth--;
    return pdTRUE;
}

/* --- Zephyr --------------------------------------------------------------------------------------------- */

static const struct fs_file_system_t *registered;

int fs_register(int type, const struct fs_file_system_t *fs) {
    registered = type == DYNAMICFS_TYPE ? fs : NULL;
    return 0;
}

/* --- ESP-IDF -------------------------------------------------------------------------------------------- */

static const esp_vfs_t *vfs;
static void *vfs_context;

esp_err_t esp_vfs_register(const char *base_path, const esp_vfs_t *registering, void *context) {
    if (strcmp(base_path, "/dfs") != 0 || !(registering->flags & ESP_VFS_FLAG_CONTEXT_PTR)) return ESP_FAIL;
    vfs = registering;
    vfs_context = context;
    return ESP_OK;
}

esp_err_t esp_vfs_unregister(const char *base_path) {
    (void)base_path;
    vfs = NULL;
    return ESP_OK;
}

/* --- the tests ------------------------------------------------------------------------------------------ */

enum { LENT = 40 << 10 };

static uint8_t lent[LENT];
static dfs_disk disks[DISKS];
static dfs_config config;
static struct stand_in_mutex mutex;
static int32_t answer;

static const char *is_made(void) {
    dfs_format_options options = disks_scheme();
    static dfs_pool pool;
    disks_open(disks, 0);
    config.struct_bytes = sizeof config;
    config.disk_count = DISKS;
    config.disks = disks;
    config.memory = lent;
    config.memory_bytes = LENT;
    config.entropy = entropy;
    config.lock_context = &mutex;
    config.lock = dynamicfs_freertos_lock;
    CHECK(dfs_format(&pool, &config, &options) == DFS_ERR_CALLBACK);
    config.unlock = dynamicfs_freertos_unlock;
    CHECK(dfs_format(&pool, &config, &options) == DFS_OK && dfs_unmount(&pool) == DFS_OK);
    CHECK(mutex.taken == 2 && mutex.depth == 0);
    return NULL;
}

static const char *zephyr_runs(void) {
    static dfs_volume volume = {.config = &config};
    struct fs_mount_t mount = {.type = DYNAMICFS_TYPE, .mnt_point = "/dfs", .fs_data = &volume, .mountp_len = 4};
    struct fs_file_t file = {.mp = &mount}, files[DFS_VOLUME_FILES + 1];
    struct fs_dir_t dir = {.mp = &mount};
    struct fs_dirent entry;
    struct fs_statvfs space;
    char text[16];
    int met = 0;

    CHECK(dynamicfs_zephyr_register() == 0 && registered);
    const struct fs_file_system_t *fs = mount.fs = registered;
    CHECK(fs->mount(&mount) == 0 && fs->mount(&mount) == -EBUSY);
    CHECK(fs->open(&file, "/dfs/log", FS_O_READ) == -ENOENT);
    CHECK(fs->open(&file, "/dfs/log", FS_O_CREATE | FS_O_READ | FS_O_WRITE) == 0);
    CHECK(fs->write(&file, "booted", 6) == 6 && fs->tell(&file) == 6);
    CHECK(fs->lseek(&file, -2, DFS_SEEK_END) == 0 && fs->tell(&file) == 4);
    CHECK(fs->read(&file, text, sizeof text) == 2 && memcmp(text, "ed", 2) == 0);
    CHECK(fs->truncate(&file, 4) == 0 && fs->truncate(&file, -1) == -EINVAL && fs->sync(&file) == 0);
    CHECK(fs->close(&file) == 0 && fs->close(&file) == -EBADF);
    CHECK(fs->open(&file, "/dfs/log", FS_O_WRITE | FS_O_APPEND) == 0 && fs->write(&file, "!", 1) == 1);
    CHECK(fs->read(&file, text, 1) == -EBADF && fs->close(&file) == 0);
    CHECK(fs->stat(&mount, "/dfs/log", &entry) == 0 && entry.size == 5 && entry.type == FS_DIR_ENTRY_FILE);
    CHECK(strcmp(entry.name, "log") == 0);
    CHECK(fs->open(&file, "/dfs/log", FS_O_WRITE | FS_O_TRUNC) == 0 && fs->close(&file) == 0);
    CHECK(fs->stat(&mount, "/dfs/log", &entry) == 0 && entry.size == 0);

    CHECK(fs->mkdir(&mount, "/dfs/dir") == 0 && fs->mkdir(&mount, "/dfs/dir") == -EEXIST);
    CHECK(fs->rename(&mount, "/dfs/log", "/dfs/dir/log") == 0);
    CHECK(fs->unlink(&mount, "/dfs/dir") == -ENOTEMPTY);
    CHECK(fs->opendir(&dir, "/dfs") == 0);
    while (fs->readdir(&dir, &entry) == 0 && entry.name[0]) met += entry.type == FS_DIR_ENTRY_DIR;
    CHECK(met == 1 && fs->unmount(&mount) == -EBUSY && fs->closedir(&dir) == 0 && fs->closedir(&dir) == -EBADF);
    CHECK(fs->unlink(&mount, "/dfs/dir/log") == 0 && fs->unlink(&mount, "/dfs/dir") == 0);
    CHECK(fs->statvfs(&mount, "/dfs", &space) == 0 && space.f_bfree <= space.f_blocks && space.f_bsize == 512);

    for (int number = 0; number <= DFS_VOLUME_FILES; number++) {
        files[number].mp = &mount;
        int done = fs->open(&files[number], "/dfs/many", FS_O_CREATE | FS_O_READ | FS_O_WRITE);
        CHECK(done == (number == DFS_VOLUME_FILES ? -ENFILE : 0));
    }
    for (int number = 0; number < DFS_VOLUME_FILES; number++) CHECK(fs->close(&files[number]) == 0);

    /* What was closed is there after the power went, and what was only written is not. */
    CHECK(fs->open(&file, "/dfs/many", FS_O_WRITE) == 0 && fs->write(&file, "kept", 4) == 4 && fs->close(&file) == 0);
    CHECK(fs->open(&file, "/dfs/many", FS_O_WRITE) == 0 && fs->write(&file, "lost", 4) == 4);
    power_is_cut = 1;
    CHECK(fs->close(&file) == -EIO);
    power_is_cut = 0;
    CHECK(fs->unmount(&mount) == 0 && fs->mount(&mount) == 0);
    CHECK(fs->open(&file, "/dfs/many", FS_O_READ) == 0);
    CHECK(fs->read(&file, text, sizeof text) == 4 && memcmp(text, "kept", 4) == 0);
    CHECK(fs->close(&file) == 0 && fs->unmount(&mount) == 0);
    return NULL;
}

static const char *esp_runs(void) {
    static dynamicfs_esp card = {.volume.config = &config};
    struct stat stat;
    struct dirent *entry;
    char text[16];
    int file, met = 0;

    CHECK(dynamicfs_esp_mount(&card, "/other") == ESP_FAIL);
    CHECK(dynamicfs_esp_mount(&card, "/dfs") == ESP_OK);
    CHECK(vfs->open_p(vfs_context, "/log", O_RDONLY, 0) == -1 && errno == ENOENT);
    CHECK((file = vfs->open_p(vfs_context, "/log", O_RDWR | O_CREAT | O_EXCL, 0)) >= 0);
    CHECK(vfs->open_p(vfs_context, "/log", O_RDWR | O_CREAT | O_EXCL, 0) == -1 && errno == EEXIST);
    CHECK(vfs->write_p(vfs_context, file, "booted", 6) == 6 && vfs->fsync_p(vfs_context, file) == 0);
    CHECK(vfs->lseek_p(vfs_context, file, 2, SEEK_SET) == 2 && vfs->read_p(vfs_context, file, text, 16) == 4);
    CHECK(vfs->ftruncate_p(vfs_context, file, 3) == 0 && vfs->ftruncate_p(vfs_context, file, -1) == -1);
    CHECK(vfs->fstat_p(vfs_context, file, &stat) == 0 && stat.st_size == 3 && S_ISREG(stat.st_mode));
    CHECK(vfs->close_p(vfs_context, file) == 0 && vfs->close_p(vfs_context, file) == -1 && errno == EBADF);
    CHECK(vfs->mkdir_p(vfs_context, "/dir", 0755) == 0 && vfs->rename_p(vfs_context, "/log", "/dir/log") == 0);
    CHECK(vfs->stat_p(vfs_context, "/dir", &stat) == 0 && S_ISDIR(stat.st_mode));
    CHECK(vfs->unlink_p(vfs_context, "/dir") == -1 && errno == EISDIR);
    DIR *dir = vfs->opendir_p(vfs_context, "/dir");
    CHECK(dir);
    while ((entry = vfs->readdir_p(vfs_context, dir))) met += strcmp(entry->d_name, "log") == 0 && entry->d_type == DT_REG;
    CHECK(met == 1 && vfs->closedir_p(vfs_context, dir) == 0);
    CHECK(vfs->unlink_p(vfs_context, "/dir/log") == 0 && vfs->rmdir_p(vfs_context, "/dir") == 0);
    CHECK(dynamicfs_esp_unmount(&card, "/dfs") == ESP_OK);
    return NULL;
}

static dfs_pool locked;

static void call_again(void) { answer = dfs_in_transaction(&locked); }

static const char *locks_are_kept(void) {
    CHECK(mutex.depth == 0 && mutex.deepest == 2);
    CHECK(dfs_mount(&locked, &config) == DFS_OK);
    /* A call from a callback is two deep, is told, and gives back what it took. */
    mutex.deepest = 0;
    disk_called = call_again;
    CHECK(dfs_begin(&locked) == DFS_OK);
    disk_called = NULL;
    CHECK(answer == DFS_ERR_REENTERED && mutex.depth == 0 && mutex.deepest == 2);
    mutex.is_broken = 1;
    CHECK(dfs_commit(&locked) == DFS_ERR_LOCK);
    mutex.is_broken = 0;
    CHECK(dfs_abort(&locked) == DFS_OK && dfs_unmount(&locked) == DFS_OK && mutex.depth == 0);
    return NULL;
}

const char *run(void) {
    const char *failed;
    if ((failed = is_made()) || (failed = zephyr_runs()) || (failed = esp_runs()) || (failed = locks_are_kept()))
        return failed;
    board_print("the shims run\n");
    return NULL;
}
