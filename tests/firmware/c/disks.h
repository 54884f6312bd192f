/* Disks in memory whose power can be cut in the middle of a write. */
#ifndef DISKS_H
#define DISKS_H

#include "dynamicfs.h"

#ifndef DISKS
#define DISKS 1
#endif

/* Writes until the power goes, half-way through the last; negative: it stays. What is asked after that is
 * refused. */
extern int power_writes_left;
extern int power_is_cut;

/* What happens in a callback before it does its work; null: nothing. */
extern void (*disk_called)(void);

/* Randomness that is none, and never the same. */
int32_t entropy(void *context, void *bytes, size_t count);

/* The disks from the board's disk `first` on. */
void disks_open(dfs_disk disks[DISKS], unsigned first);

/* The scheme of so many disks: one copy, a mirror, or as much parity as leaves two fragments of data. */
dfs_format_options disks_scheme(void);

#endif
