#include "disks.h"
#include "board.h"
#include <string.h>

int power_writes_left = -1;
int power_is_cut;
void (*disk_called)(void);

static int is_off(void) {
    if (disk_called) disk_called();
    return power_is_cut;
}

static int32_t disk_read(void *context, uint64_t sector, void *bytes, uint32_t count) {
    if (is_off()) return DFS_IO_GONE;
    if (sector + count > BOARD_DISK_BYTES / BOARD_SECTOR_BYTES) return DFS_IO_MEDIA;
    memcpy(bytes, (uint8_t *)context + (size_t)sector * BOARD_SECTOR_BYTES, (size_t)count * BOARD_SECTOR_BYTES);
    return DFS_IO_OK;
}

static int32_t disk_write(void *context, uint64_t sector, const void *bytes, uint32_t count) {
    if (is_off()) return DFS_IO_GONE;
    if (sector + count > BOARD_DISK_BYTES / BOARD_SECTOR_BYTES) return DFS_IO_MEDIA;
    size_t length = (size_t)count * BOARD_SECTOR_BYTES;
    if (power_writes_left == 0) {
        power_is_cut = 1;
        length /= 2;
    }
    memcpy((uint8_t *)context + (size_t)sector * BOARD_SECTOR_BYTES, bytes, length);
    if (power_is_cut) return DFS_IO_GONE;
    if (power_writes_left > 0) power_writes_left--;
    return DFS_IO_OK;
}

static int32_t disk_flush(void *context) {
    (void)context;
    return is_off() ? DFS_IO_GONE : DFS_IO_OK;
}

int32_t entropy(void *context, void *bytes, size_t count) {
    static uint32_t weyl = 7;
    (void)context;
    for (uint8_t *to = bytes; count--; to++) {
        weyl += 0x9E3779B9u;
        *to = (uint8_t)(weyl * (weyl | 1) >> 24);
    }
    return 0;
}

void disks_open(dfs_disk disks[DISKS], unsigned first) {
    memset(disks, 0, DISKS * sizeof *disks);
    for (unsigned number = 0; number < DISKS; number++) {
        disks[number].struct_bytes = sizeof *disks;
        disks[number].sectors = BOARD_DISK_BYTES / BOARD_SECTOR_BYTES;
        disks[number].sector_bytes = BOARD_SECTOR_BYTES;
        disks[number].context = board_disk(first + number);
        disks[number].read = disk_read;
        disks[number].write = disk_write;
        disks[number].flush = disk_flush;
    }
}

dfs_format_options disks_scheme(void) {
    dfs_format_options options;
    memset(&options, 0, sizeof options);
    options.struct_bytes = sizeof options;
    options.data = DISKS > 2 ? 2 : 1;
    options.parity = DISKS - options.data;
    return options;
}
