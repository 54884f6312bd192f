/* The life of a pool, from C: it is made, mounted, written, listed, cut off from its power in every write of
 * a commit, mounted again, and read; and everything is called as it should not be. Runs on the board and on a
 * host. */
#include "board.h"
#include "disks.h"
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define CHECK(condition)                                                \
    do {                                                                \
        if (!(condition)) return __FILE__ ":" TEXT(__LINE__) ": " #condition; \
    } while (0)
#define PASS(call)                          \
    do {                                    \
        const char *failed_ = (call);       \
        if (failed_) return failed_;        \
    } while (0)

enum { LENT = 40 << 10 };

static uint8_t lent[LENT], other_lent[LENT];
static dfs_disk disks[DISKS], other_disks[DISKS];
static dfs_config config, other_config;
static dfs_pool pool, other;
static uint8_t buffer[4096];

static void configure(dfs_config *to, dfs_disk *on, unsigned first, uint8_t *memory) {
    disks_open(on, first);
    memset(to, 0, sizeof *to);
    to->struct_bytes = sizeof *to;
    to->disk_count = DISKS;
    to->disks = on;
    to->memory = memory;
    to->memory_bytes = LENT;
    to->pins = PINS;
    to->entropy = entropy;
}

/* --- making a pool -------------------------------------------------------------------------------------- */

static const char *is_made(void) {
    dfs_format_options options = disks_scheme();
    dfs_memory_needs needs = {sizeof needs, 0, 0, 0}, again = needs;
    dfs_error_info error = {.struct_bytes = sizeof error};

    CHECK(dfs_api_version() == DFS_API_VERSION);
    CHECK(dfs_mount(&pool, &config) == DFS_ERR_NO_POOL);
    CHECK(dfs_memory_to_mount(&config, &again) == DFS_ERR_NO_POOL);
    CHECK(dfs_memory_to_format(&config, &options, &needs) == DFS_OK);
    CHECK(needs.bytes <= LENT && needs.bytes_to_read < needs.bytes);

    /* As much as is told is enough, and a byte less than the least is told. */
    config.memory_bytes = 4000;
    CHECK(dfs_format(&pool, &config, &options) == DFS_ERR_NEEDS_MEMORY);
    CHECK(dfs_last_error(&pool, &error) == DFS_OK && error.code == DFS_ERR_NEEDS_MEMORY && error.bytes > 4000);
    config.memory_bytes = needs.bytes;
    config.entropy = NULL;
    CHECK(dfs_format(&pool, &config, &options) == DFS_ERR_CALLBACK);
    config.entropy = entropy;
    CHECK(dfs_format(&pool, &config, &options) == DFS_OK);
    CHECK(dfs_unmount(&pool) == DFS_OK);
    CHECK(dfs_format(&pool, &config, &options) == DFS_ERR_IN_USE);
    CHECK(dfs_last_error(&pool, &error) == DFS_OK && error.disk == 0);

    CHECK(dfs_memory_to_mount(&config, &again) == DFS_OK);
    CHECK(again.bytes <= needs.bytes && again.bytes_to_read <= needs.bytes_to_read);
    config.memory_bytes = again.bytes;
    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    CHECK(dfs_unmount(&pool) == DFS_OK);
    config.memory_bytes = again.bytes_to_read;
    CHECK(dfs_mount(&pool, &config) == DFS_ERR_NEEDS_MEMORY);
    CHECK(dfs_last_error(&pool, &error) == DFS_OK && error.bytes > again.bytes_to_read && error.bytes <= again.bytes);
    CHECK(dfs_mount_ro(&pool, &config) == DFS_OK);
    CHECK(dfs_unmount(&pool) == DFS_OK);
    config.memory_bytes = LENT;
    return NULL;
}

/* --- using it ------------------------------------------------------------------------------------------- */

static const char *files_are_written(void) {
    dfs_file file, second;
    dfs_stat_info stat = {.struct_bytes = sizeof stat};

    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    CHECK(dfs_open(&pool, &file, "/log", DFS_OPEN_READ) == DFS_ERR_NOT_FOUND);
    CHECK(dfs_create(&pool, &file, "/log", DFS_OPEN_WRITE) == DFS_ERR_NO_TRANSACTION);
    CHECK(dfs_begin(&pool) == DFS_OK);
    CHECK(dfs_create(&pool, &file, "/log", DFS_OPEN_READ) == DFS_ERR_ARGUMENT);
    CHECK(dfs_create(&pool, &file, "/log", DFS_OPEN_READ | DFS_OPEN_WRITE | DFS_OPEN_NEW) == DFS_OK);
    CHECK(dfs_create(&pool, &second, "/log", DFS_OPEN_WRITE | DFS_OPEN_NEW) == DFS_ERR_EXISTS);
    CHECK(dfs_write(&pool, &file, "it happened", 11) == 11);
    CHECK(dfs_lseek(&pool, &file, 0, DFS_SEEK_CUR) == 11);
    CHECK(dfs_lseek(&pool, &file, -12, DFS_SEEK_END) == DFS_ERR_ARGUMENT);
    CHECK(dfs_lseek(&pool, &file, -8, DFS_SEEK_END) == 3);
    CHECK(dfs_read(&pool, &file, buffer, sizeof buffer) == 8 && memcmp(buffer, "happened", 8) == 0);
    CHECK(dfs_read(&pool, &file, buffer, sizeof buffer) == 0);
    CHECK(dfs_pwrite(&pool, &file, "!", 1, 5000) == 1);
    CHECK(dfs_pread(&pool, &file, buffer, 3, 4998) == 3 && memcmp(buffer, "\0\0!", 3) == 0);
    CHECK(dfs_truncate(&pool, &file, 11) == DFS_OK);
    CHECK(dfs_fstat(&pool, &file, &stat) == DFS_OK && stat.size == 11 && stat.kind == DFS_KIND_FILE);
    CHECK(dfs_fsync(&pool, &file) == DFS_OK && dfs_in_transaction(&pool) == 1);

    /* Several at a time; what appends goes to the end. */
    CHECK(dfs_open(&pool, &second, "log", DFS_OPEN_WRITE | DFS_OPEN_APPEND) == DFS_OK);
    CHECK(dfs_write(&pool, &second, " again", 6) == 6);
    CHECK(dfs_read(&pool, &second, buffer, 1) == DFS_ERR_ACCESS);
    CHECK(dfs_commit(&pool) == DFS_OK && dfs_in_transaction(&pool) == 0);
    CHECK(dfs_write(&pool, &second, "x", 1) == DFS_ERR_NO_TRANSACTION);
    CHECK(dfs_pread(&pool, &file, buffer, 64, 0) == 17 && memcmp(buffer, "it happened again", 17) == 0);
    CHECK(dfs_close(&pool, &second) == DFS_OK && dfs_close(&pool, &file) == DFS_OK);

    /* What is undone was not. */
    CHECK(dfs_begin(&pool) == DFS_OK && dfs_begin(&pool) == DFS_ERR_IN_TRANSACTION);
    CHECK(dfs_create(&pool, &file, "new", DFS_OPEN_WRITE) == DFS_OK);
    CHECK(dfs_maintenance_step(&pool, 1) == DFS_ERR_IN_TRANSACTION);
    CHECK(dfs_abort(&pool) == DFS_OK && dfs_abort(&pool) == DFS_OK);
    CHECK(dfs_stat(&pool, "new", &stat) == DFS_ERR_NOT_FOUND);
    CHECK(dfs_begin(&pool) == DFS_OK && dfs_create(&pool, &second, "newer", DFS_OPEN_WRITE) == DFS_OK);
    CHECK(dfs_write(&pool, &file, "x", 1) == DFS_ERR_STALE);
    CHECK(dfs_close(&pool, &file) == DFS_ERR_STALE && dfs_close(&pool, &file) == DFS_ERR_HANDLE);
    CHECK(dfs_write(&pool, &second, "x", 1) == 1 && dfs_close(&pool, &second) == DFS_OK);
    CHECK(dfs_unmount(&pool) == DFS_OK);
    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    CHECK(dfs_stat(&pool, "newer", &stat) == DFS_ERR_NOT_FOUND);
    return NULL;
}

static const char *names_are_changed(void) {
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    dfs_entry entry = {.struct_bytes = sizeof entry};
    dfs_file file;
    dfs_dir dir;
    unsigned met = 0;
    int32_t more;

    CHECK(dfs_mkdir(&pool, "dir") == DFS_ERR_NO_TRANSACTION);
    CHECK(dfs_begin(&pool) == DFS_OK);
    CHECK(dfs_mkdir(&pool, "dir") == DFS_OK && dfs_mkdir(&pool, "dir") == DFS_ERR_EXISTS);
    CHECK(dfs_mkdir(&pool, "absent/dir") == DFS_ERR_NOT_FOUND && dfs_mkdir(&pool, "/") == DFS_ERR_NAME);
    for (char name[] = "dir/a"; name[4] <= 'h'; name[4]++)
        CHECK(dfs_create(&pool, &file, name, DFS_OPEN_WRITE) == DFS_OK && dfs_close(&pool, &file) == DFS_OK);
    CHECK(dfs_open(&pool, &file, "dir", DFS_OPEN_READ) == DFS_ERR_IS_A_DIRECTORY);
    CHECK(dfs_opendir(&pool, &dir, "dir/a") == DFS_ERR_NOT_A_DIRECTORY);
    CHECK(dfs_opendir(&pool, &dir, "dir") == DFS_OK);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (met = 0; (more = dfs_readdir(&pool, &dir, &entry)) == 1;) {
            CHECK(entry.name_bytes == 1 && entry.name[1] == 0 && entry.kind == DFS_KIND_FILE);
            met |= 1u << (entry.name[0] - 'a');
        }
        CHECK(more == 0 && met == 0xFF && dfs_telldir(&pool, &dir) > 0);
        CHECK(dfs_rewinddir(&pool, &dir) == DFS_OK && dfs_telldir(&pool, &dir) == 0);
    }
    CHECK(dfs_seekdir(&pool, &dir, -1) == DFS_ERR_ARGUMENT);
    CHECK(dfs_closedir(&pool, &dir) == DFS_OK && dfs_closedir(&pool, &dir) == DFS_ERR_HANDLE);

    CHECK(dfs_rename(&pool, "dir/a", "dir/b", DFS_RENAME_NO_REPLACE) == DFS_ERR_EXISTS);
    CHECK(dfs_rename(&pool, "dir/a", "log", DFS_RENAME_EXCHANGE) == DFS_OK);
    CHECK(dfs_stat(&pool, "dir/a", &stat) == DFS_OK && stat.size == 17);
    CHECK(dfs_rename(&pool, "dir/a", "log", DFS_RENAME_REPLACE) == DFS_OK);
    CHECK(dfs_rename(&pool, "dir/a", "log", DFS_RENAME_REPLACE) == DFS_ERR_NOT_FOUND);
    CHECK(dfs_rename(&pool, "dir", "dir/b/c", DFS_RENAME_REPLACE) == DFS_ERR_NOT_A_DIRECTORY);
    CHECK(dfs_rename(&pool, "dir", "log", 7) == DFS_ERR_ARGUMENT);
    CHECK(dfs_rmdir(&pool, "dir") == DFS_ERR_NOT_EMPTY && dfs_unlink(&pool, "dir") == DFS_ERR_IS_A_DIRECTORY);
    CHECK(dfs_rmdir(&pool, "dir/b") == DFS_ERR_NOT_A_DIRECTORY);
    for (char name[] = "dir/b"; name[4] <= 'h'; name[4]++) CHECK(dfs_unlink(&pool, name) == DFS_OK);
    CHECK(dfs_rmdir(&pool, "dir") == DFS_OK);

    CHECK(dfs_set_attribute(&pool, "log", "user.unit", "celsius", 7, DFS_ATTRIBUTE_CREATE) == DFS_OK);
    CHECK(dfs_set_attribute(&pool, "log", "user.unit", "kelvin", 6, DFS_ATTRIBUTE_CREATE) == DFS_ERR_EXISTS);
    CHECK(dfs_set_attribute(&pool, "log", "user.x", "kelvin", 6, DFS_ATTRIBUTE_REPLACE) == DFS_ERR_NOT_FOUND);
    CHECK(dfs_get_attribute(&pool, "log", "user.unit", NULL, 0) == 7);
    CHECK(dfs_get_attribute(&pool, "log", "user.unit", buffer, 64) == 7 && memcmp(buffer, "celsius", 7) == 0);
    CHECK(dfs_attribute_name(&pool, "log", 0, (char *)buffer, 9) == DFS_ERR_TOO_LARGE);
    CHECK(dfs_attribute_name(&pool, "log", 0, (char *)buffer, 10) == 9 && strcmp((char *)buffer, "user.unit") == 0);
    CHECK(dfs_attribute_name(&pool, "log", 1, (char *)buffer, 64) == 0);
    CHECK(dfs_remove_attribute(&pool, "log", "user.unit") == DFS_OK);
    CHECK(dfs_commit(&pool) == DFS_OK);

    while ((more = dfs_maintenance_step(&pool, 1)) == 1) {}
    CHECK(more == 0);
    return NULL;
}

static const char *unlinked_files_stay(void) {
    dfs_file file, second;
    CHECK(dfs_begin(&pool) == DFS_OK);
    CHECK(dfs_create(&pool, &file, "short", DFS_OPEN_READ | DFS_OPEN_WRITE) == DFS_OK);
    CHECK(dfs_write(&pool, &file, "lived", 5) == 5);
    CHECK(dfs_commit(&pool) == DFS_OK && dfs_begin(&pool) == DFS_OK);
    CHECK(dfs_unlink(&pool, "short") == DFS_OK && dfs_commit(&pool) == DFS_OK);
#if PINS
    CHECK(dfs_pread(&pool, &file, buffer, 5, 0) == 5 && memcmp(buffer, "lived", 5) == 0);
    CHECK(dfs_open(&pool, &second, "log", DFS_OPEN_READ) == DFS_ERR_PINS_FULL);
    CHECK(dfs_close(&pool, &file) == DFS_OK);
    CHECK(dfs_open(&pool, &second, "log", DFS_OPEN_READ) == DFS_OK && dfs_close(&pool, &second) == DFS_OK);
#else
    CHECK(dfs_pread(&pool, &file, buffer, 5, 0) == DFS_ERR_NOT_FOUND);
    CHECK(dfs_open(&pool, &second, "log", DFS_OPEN_READ) == DFS_OK && dfs_close(&pool, &second) == DFS_OK);
    CHECK(dfs_close(&pool, &file) == DFS_OK);
#endif
    return NULL;
}

/* --- misusing it ---------------------------------------------------------------------------------------- */

static int32_t answer;

static void call_again(void) {
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    answer = dfs_stat(&pool, "/", &stat);
}

static const char *misuse_is_told(void) {
    dfs_format_options options = disks_scheme();
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    dfs_health_info health = {.struct_bytes = sizeof health};
    dfs_file file, foreign;
    dfs_dir dir;
    dfs_pool copy;
    static char long_path[DFS_PATH_BYTES_MAX + 1];

    /* Pointers. */
    CHECK(dfs_begin(NULL) == DFS_ERR_POINTER && dfs_mount(NULL, &config) == DFS_ERR_POINTER);
    CHECK(dfs_mount(&other, NULL) == DFS_ERR_POINTER);
    CHECK(dfs_begin((dfs_pool *)((uint8_t *)&pool + 1)) == DFS_ERR_POINTER);
    CHECK(dfs_stat(&pool, NULL, &stat) == DFS_ERR_POINTER && dfs_stat(&pool, "/", NULL) == DFS_ERR_POINTER);
    CHECK(dfs_open(&pool, NULL, "log", DFS_OPEN_READ) == DFS_ERR_POINTER);
    CHECK(dfs_last_error(&pool, NULL) == DFS_ERR_POINTER);
    memset(long_path, 'a', sizeof long_path);
    CHECK(dfs_stat(&pool, long_path, &stat) == DFS_ERR_NAME);

    /* Structs of another header. */
    stat.struct_bytes -= 8;
    CHECK(dfs_stat(&pool, "/", &stat) == DFS_ERR_STRUCT);
    health.struct_bytes = 0;
    CHECK(dfs_health(&pool, &health) == DFS_ERR_STRUCT);
    other_config.struct_bytes += 8;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_STRUCT);
    other_config.struct_bytes -= 8;
    other_disks[DISKS - 1].struct_bytes -= 8;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_STRUCT);
    other_disks[DISKS - 1].struct_bytes += 8;
    options.struct_bytes = 4;
    CHECK(dfs_format(&other, &other_config, &options) == DFS_ERR_STRUCT);
    options.struct_bytes = sizeof options;
    stat.struct_bytes = sizeof stat;
    health.struct_bytes = sizeof health;

    /* Configurations that contradict themselves. */
    other_config.memory = NULL;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_POINTER);
    other_config.memory = other_lent;
    other_config.disk_count = 0;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_DISK_COUNT);
    other_config.disk_count = DISKS;
    other_disks[0].read = NULL;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_CALLBACK);
    disks_open(other_disks, DISKS);
    other_disks[0].reserved = 1;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_ARGUMENT);
    disks_open(other_disks, DISKS);
#if !PINS
    other_config.pins = 1;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_NEEDS_FEATURE);
    other_config.pins = 0;
#endif
    other_disks[0].sector_bytes = 500;
    CHECK(dfs_mount(&other, &other_config) == DFS_ERR_GEOMETRY);
    disks_open(other_disks, DISKS);
    options.node_bytes = 1000;
    CHECK(dfs_format(&other, &other_config, &options) == DFS_ERR_PARAMETER);
    options.node_bytes = 0;
    options.parity = 300;
    CHECK(dfs_format(&other, &other_config, &options) == DFS_ERR_PARAMETER);
    options = disks_scheme();

    /* Pools that are not mounted, are already, or were moved. */
    CHECK(dfs_begin(&other) == DFS_ERR_NOT_MOUNTED && dfs_unmount(&other) == DFS_ERR_NOT_MOUNTED);
    CHECK(dfs_mount(&pool, &config) == DFS_ERR_MOUNTED && dfs_format(&pool, &config, &options) == DFS_ERR_MOUNTED);
    copy = pool;
    CHECK(dfs_begin(&copy) == DFS_ERR_MOVED);

    /* Files of another pool, closed ones, and such as were never opened. */
    memset(&file, 0, sizeof file);
    CHECK(dfs_read(&pool, &file, buffer, 1) == DFS_ERR_HANDLE && dfs_close(&pool, &file) == DFS_ERR_HANDLE);
    CHECK(dfs_format(&other, &other_config, &options) == DFS_OK);
    CHECK(dfs_begin(&other) == DFS_OK);
    CHECK(dfs_create(&other, &foreign, "f", DFS_OPEN_READ | DFS_OPEN_WRITE) == DFS_OK && dfs_commit(&other) == DFS_OK);
    CHECK(dfs_read(&pool, &foreign, buffer, 1) == DFS_ERR_HANDLE && dfs_fsync(&pool, &foreign) == DFS_ERR_HANDLE);
    CHECK(dfs_open(&pool, &file, "log", DFS_OPEN_READ) == DFS_OK);
    CHECK(dfs_readdir(&pool, (dfs_dir *)&file, NULL) == DFS_ERR_HANDLE);
    CHECK(dfs_write(&pool, &file, "x", 1) == DFS_ERR_ACCESS && dfs_truncate(&pool, &file, 0) == DFS_ERR_ACCESS);
    CHECK(dfs_read(&pool, &file, NULL, 1) == DFS_ERR_POINTER && dfs_read(&pool, &file, NULL, 0) == 0);
    CHECK(dfs_lseek(&pool, &file, 0, 9) == DFS_ERR_ARGUMENT);
    CHECK(dfs_open(&pool, &file, "log", 0) == DFS_ERR_ARGUMENT && dfs_open(&pool, &file, "log", 99) == DFS_ERR_ARGUMENT);
    CHECK(dfs_close(&pool, &file) == DFS_OK && dfs_close(&pool, &file) == DFS_ERR_HANDLE);
    CHECK(dfs_read(&pool, &file, buffer, 1) == DFS_ERR_HANDLE);

    /* Files of an earlier mount. */
    CHECK(dfs_opendir(&other, &dir, "/") == DFS_OK && dfs_unmount(&other) == DFS_OK);
    CHECK(dfs_read(&other, &foreign, buffer, 1) == DFS_ERR_NOT_MOUNTED);
    CHECK(dfs_mount(&other, &other_config) == DFS_OK);
    CHECK(dfs_read(&other, &foreign, buffer, 1) == DFS_ERR_STALE && dfs_closedir(&other, &dir) == DFS_ERR_STALE);
    CHECK(dfs_unmount(&other) == DFS_OK && dfs_unmount(&other) == DFS_ERR_NOT_MOUNTED);

    /* A call from a callback. */
    disk_called = call_again;
    CHECK(dfs_begin(&pool) == DFS_OK);
    disk_called = NULL;
    CHECK(answer == DFS_ERR_REENTERED && dfs_abort(&pool) == DFS_OK);
    CHECK(dfs_stat(&pool, "/", &stat) == DFS_OK && stat.kind == DFS_KIND_DIRECTORY);

    /* What is only read. */
    CHECK(dfs_health(&pool, &health) == DFS_OK && health.writable == 1 && health.online == DISKS);
    CHECK(dfs_unmount(&pool) == DFS_OK && dfs_mount_ro(&pool, &config) == DFS_OK);
    CHECK(dfs_begin(&pool) == DFS_ERR_READ_ONLY && dfs_mkdir(&pool, "x") == DFS_ERR_READ_ONLY);
    CHECK(dfs_open(&pool, &file, "log", DFS_OPEN_WRITE) == DFS_ERR_READ_ONLY);
    CHECK(dfs_maintenance_step(&pool, 0) == DFS_ERR_READ_ONLY);
    CHECK(dfs_open(&pool, &file, "log", DFS_OPEN_READ) == DFS_OK);
    CHECK(dfs_read(&pool, &file, buffer, 64) == 17 && memcmp(buffer, "it happened again", 17) == 0);
    CHECK(dfs_close(&pool, &file) == DFS_OK && dfs_unmount(&pool) == DFS_OK);
    return NULL;
}

/* --- losing its power ----------------------------------------------------------------------------------- */

enum { VERSION_BYTES = 3000 };

/* Writes a version of the file, and commits it. Nothing is to be believed of a call that fails. */
static int32_t write_version(uint8_t version) {
    dfs_file file;
    int32_t done;
    memset(buffer, version, VERSION_BYTES);
    if ((done = dfs_begin(&pool)) < 0) return done;
    if ((done = dfs_create(&pool, &file, "version", DFS_OPEN_WRITE)) < 0) return done;
    if ((done = dfs_write(&pool, &file, buffer, VERSION_BYTES)) < 0) return done;
    done = dfs_commit(&pool);
    dfs_close(&pool, &file);
    return done;
}

/* The version that is there, if it is there as a whole. */
static const char *read_version(uint8_t *version) {
    dfs_file file;
    CHECK(dfs_open(&pool, &file, "version", DFS_OPEN_READ) == DFS_OK);
    CHECK(dfs_read(&pool, &file, buffer, sizeof buffer) == VERSION_BYTES);
    for (unsigned at = 1; at < VERSION_BYTES; at++) CHECK(buffer[at] == buffer[0]);
    CHECK(dfs_close(&pool, &file) == DFS_OK);
    *version = buffer[0];
    return NULL;
}

static void restore_power(void) {
    power_writes_left = -1;
    power_is_cut = 0;
}

/* Cuts the power in write number `cut` of a commit, and then in write number `again` of the mount. */
static const char *power_goes(int cut, int again, int *was_cut) {
    uint8_t before, after;
    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    PASS(read_version(&before));
    power_writes_left = cut;
    int32_t done = write_version((uint8_t)(before + 1));
    *was_cut = power_is_cut;
    CHECK(*was_cut || done == DFS_OK);
    CHECK(dfs_unmount(&pool) == DFS_OK);
    restore_power();

    /* The first write of a mount that recovers comes with its first transaction at the latest. */
    power_writes_left = again;
    if (dfs_mount(&pool, &config) == DFS_OK) {
        dfs_begin(&pool);
        CHECK(dfs_unmount(&pool) == DFS_OK);
    }
    restore_power();

    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    PASS(read_version(&after));
    CHECK(after == (uint8_t)(before + 1) || (after == before && done != DFS_OK));
    CHECK(dfs_unmount(&pool) == DFS_OK);
    return NULL;
}

static const char *power_cuts_are_survived(void) {
    int was_cut = 1;
    CHECK(dfs_mount(&pool, &config) == DFS_OK);
    CHECK(write_version(1) == DFS_OK && dfs_unmount(&pool) == DFS_OK);
    for (int again = 0; again < 3; again++) {
        int cut = 0;
        for (was_cut = 1; was_cut; cut++) PASS(power_goes(cut, again, &was_cut));
        CHECK(cut > 5);
    }
    return NULL;
}

const char *run(void) {
    configure(&config, disks, 0, lent);
    configure(&other_config, other_disks, DISKS, other_lent);
    PASS(is_made());
    PASS(files_are_written());
    PASS(names_are_changed());
    PASS(unlinked_files_stay());
    PASS(misuse_is_told());
    PASS(power_cuts_are_survived());
    board_print("the pool lived\n");
    return NULL;
}
