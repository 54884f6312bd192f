/* What a program finds on the board: a debugger (QEMU), disks in memory, and the depth of its stack. On a
 * host the same functions are in host.c. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* The program itself: null, or what it did not manage. */
const char *run(void);

/* Prints a text. */
void board_print(const char *text);

/* Memory of the disks, which keeps what the last program left where the board is told to. */
uint8_t *board_disk(unsigned number);

enum { BOARD_DISK_BYTES = 256 << 10, BOARD_SECTOR_BYTES = 512 };

#endif
