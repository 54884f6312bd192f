/* Threads that share a pool by its lock: each appends its own lines, a transaction a line, with the lock held
 * from the beginning to the commit; others read meanwhile. */
#define _XOPEN_SOURCE 600
#include "board.h"
#include "disks.h"
#include <pthread.h>
#include <string.h>

enum { THREADS = 4, LINES = 25, LINE_BYTES = 4 };

static uint8_t lent[40 << 10];
static dfs_disk disks[DISKS];
static dfs_config config;
static dfs_pool pool;
static pthread_mutex_t mutex;

static int32_t lock(void *context) { return pthread_mutex_lock(context); }

static void unlock(void *context) { pthread_mutex_unlock(context); }

static int32_t write_line(const char *line) {
    dfs_file file;
    int32_t done = dfs_begin(&pool);
    if (done >= 0) done = dfs_create(&pool, &file, "log", DFS_OPEN_WRITE | DFS_OPEN_APPEND);
    if (done >= 0) done = dfs_write(&pool, &file, line, LINE_BYTES);
    if (done >= 0) done = dfs_close(&pool, &file);
    return done < 0 ? done : dfs_commit(&pool);
}

static void *work(void *number) {
    static const char *lines[THREADS] = {"aaa\n", "bbb\n", "ccc\n", "ddd\n"};
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    for (unsigned line = 0; line < LINES; line++) {
        lock(&mutex);
        int32_t done = write_line(lines[(uintptr_t)number]);
        unlock(&mutex);
        if (done < 0) return "a line is not written";
        if (dfs_stat(&pool, "log", &stat) < 0 || stat.size % LINE_BYTES) return "a line is written in part";
    }
    return NULL;
}

const char *run(void) {
    dfs_format_options options = disks_scheme();
    dfs_stat_info stat = {.struct_bytes = sizeof stat};
    pthread_mutexattr_t recursive;
    pthread_t threads[THREADS];
    void *failed = NULL, *said;

    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &recursive);
    disks_open(disks, 0);
    config.struct_bytes = sizeof config;
    config.disk_count = DISKS;
    config.disks = disks;
    config.memory = lent;
    config.memory_bytes = sizeof lent;
    config.entropy = entropy;
    config.lock_context = &mutex;
    config.lock = lock;
    config.unlock = unlock;
    if (dfs_format(&pool, &config, &options) < 0) return "format";
    for (uintptr_t number = 0; number < THREADS; number++)
        if (pthread_create(&threads[number], NULL, work, (void *)number)) return "a thread";
    for (unsigned number = 0; number < THREADS; number++) {
        pthread_join(threads[number], &said);
        if (said) failed = said;
    }
    if (failed) return failed;
    if (dfs_stat(&pool, "log", &stat) < 0 || stat.size != THREADS * LINES * LINE_BYTES) return "lines are lost";
    if (dfs_unmount(&pool) < 0) return "unmount";
    board_print("the threads agreed\n");
    return NULL;
}
