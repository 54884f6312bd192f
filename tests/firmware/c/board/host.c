/* The same on a host: what the programs find there, for valgrind and sanitizers. */
#include "board.h"
#include <stdio.h>
#include <stdlib.h>

void board_print(const char *text) { fputs(text, stdout); }

uint8_t *board_disk(unsigned number) {
    static uint8_t *disks[8];
    if (!disks[number]) disks[number] = calloc(1, BOARD_DISK_BYTES);
    if (!disks[number]) abort();
    return disks[number];
}

int main(void) {
    const char *failed = run();
    if (failed) printf("failed: %s\n", failed);
    return failed != NULL;
}
