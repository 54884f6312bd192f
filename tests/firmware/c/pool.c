/* The measured programs, in C what those of ../cortex-m4 are in Rust: a file of full stops in a pool on as
 * many disks as the scheme needs, into which something is written. -DPROGRAM= chooses. */
#include "board.h"
#include "dynamicfs.h"

#define EMPTY 0
#define FORMAT 1
#define READ_ONLY 2
#define READ_WRITE 3
#define MIRROR 4
#define FULL 5

#ifndef DISKS
#define DISKS 1
#endif

#if PROGRAM == EMPTY
const char *run(void) { return NULL; }
#else

static int32_t disk_read(void *context, uint64_t sector, void *bytes, uint32_t count) {
    const uint8_t *from = (const uint8_t *)context + (size_t)sector * BOARD_SECTOR_BYTES;
    __builtin_memcpy(bytes, from, count * BOARD_SECTOR_BYTES);
    return DFS_IO_OK;
}

static int32_t disk_write(void *context, uint64_t sector, const void *bytes, uint32_t count) {
    uint8_t *to = (uint8_t *)context + (size_t)sector * BOARD_SECTOR_BYTES;
    __builtin_memcpy(to, bytes, count * BOARD_SECTOR_BYTES);
    return DFS_IO_OK;
}

static int32_t disk_flush(void *context) {
    (void)context;
    return DFS_IO_OK;
}

#define DISK(n)                                                                                    \
    {                                                                                              \
        .struct_bytes = sizeof(dfs_disk), .sectors = BOARD_DISK_BYTES / BOARD_SECTOR_BYTES,        \
        .sector_bytes = BOARD_SECTOR_BYTES, .context = (uint8_t *)0x21000000 + n * BOARD_DISK_BYTES, \
        .read = disk_read, .write = disk_write, .flush = disk_flush,                               \
    }

static const dfs_disk disks[DISKS] = {
    DISK(0),
#if DISKS > 1
    DISK(1), DISK(2),
#endif
#if DISKS > 3
    DISK(3),
#endif
};

/* What the Rust programs lend too, and the pool itself, which is on their stack. */
#if PROGRAM == READ_ONLY
static uint8_t lent[6 << 10];
#else
static uint8_t lent[22 << 10];
#endif

#if PROGRAM == FORMAT
static uint32_t weyl = 7;

static int32_t entropy(void *context, void *bytes, size_t count) {
    (void)context;
    for (uint8_t *to = bytes; count--; to++) {
        weyl += 0x9E3779B9u;
        *to = (uint8_t)(weyl * (weyl | 1) >> 24);
    }
    return 0;
}
#endif

static const dfs_config config = {
    .struct_bytes = sizeof(dfs_config),
    .disk_count = DISKS,
    .disks = disks,
    .memory = lent,
    .memory_bytes = sizeof lent,
#if PROGRAM == FORMAT
    .entropy = entropy,
#endif
};

static dfs_pool pool;
static dfs_file file;

#if PROGRAM == FORMAT

const char *run(void) {
    static const dfs_format_options options = {
        .struct_bytes = sizeof(dfs_format_options),
        .data = DISKS == 1 ? 1 : 2,
        .parity = DISKS == 1 ? 0 : DISKS - 2,
        .force = 1,
    };
    static uint8_t stops[3000];
    if (dfs_format(&pool, &config, &options) < 0) return "format";
    if (dfs_begin(&pool) < 0) return "begin";
    if (dfs_create(&pool, &file, "log", DFS_OPEN_WRITE) < 0) return "create";
    __builtin_memset(stops, '.', sizeof stops);
    if (dfs_write(&pool, &file, stops, sizeof stops) != sizeof stops) return "write";
    return dfs_commit(&pool) < 0 ? "commit" : NULL;
}

#else

static uint8_t text[64];

#if PROGRAM == READ_ONLY

const char *run(void) {
    if (dfs_mount_ro(&pool, &config) < 0) return "mount";
    if (dfs_open(&pool, &file, "log", DFS_OPEN_READ) < 0) return "open";
    if (dfs_pread(&pool, &file, text, sizeof text, 2000) < 0) return "read";
    for (unsigned at = 0; at < sizeof text; at++)
        if (text[at] != '.') return "compare";
    return NULL;
}

#else

const char *run(void) {
    static const char expected[] = ".....it happened.....";
    if (dfs_mount(&pool, &config) < 0) return "mount";
    if (dfs_begin(&pool) < 0) return "begin";
    if (dfs_open(&pool, &file, "log", DFS_OPEN_READ | DFS_OPEN_WRITE) < 0) return "open";
    if (dfs_pwrite(&pool, &file, "it happened", 11, 1000) != 11) return "write";
    if (dfs_commit(&pool) < 0) return "commit";
#if PROGRAM == FULL
    if (dfs_scrub(&pool) < 0) return "scrub";
#endif
#if PROGRAM == FULL || PROGRAM == MIRROR
    int32_t done;
    while ((done = dfs_maintenance_step(&pool, PROGRAM == FULL)) > 0) {}
    if (done < 0) return "maintenance";
#endif
    if (dfs_pread(&pool, &file, text, sizeof text, 995) < 0) return "read";
    return __builtin_memcmp(text, expected, sizeof expected - 1) ? "compare" : NULL;
}

#endif
#endif
#endif
