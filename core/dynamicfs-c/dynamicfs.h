/*
 * DynamicFS: a crash-safe filesystem over one disk or several.
 *
 * Made from the sources of the package dynamicfs-c; do not edit. C99, and C++.
 *
 * What a program does
 * -------------------
 *   1. It describes its disks (dfs_disk) and lends memory (dfs_config).
 *   2. dfs_mount at each start, or dfs_mount_ro; dfs_format once in the pool's life.
 *   3. It reads at any time. It changes things between dfs_begin and dfs_commit: all of it is durable then, or, if
 *      the power goes before, none. dfs_fsync commits too.
 *   4. dfs_maintenance_step, when there is time.
 *   5. dfs_unmount. There is nothing that must be done before the power goes.
 *
 * What functions return
 * ---------------------
 * 0 or more: done. Below 0: a DFS_ERR_ code; dfs_strerror has its text, and dfs_last_error the disk, the
 * address or the object that is meant. "Those of disks" are the codes from DFS_ERR_NODE_UNREADABLE to
 * DFS_ERR_NEEDS_FEATURE, "those of misuse" the codes from DFS_ERR_POINTER to DFS_ERR_ACCESS.
 *
 * Structs
 * -------
 * Structs that the program fills begin with struct_bytes, which it sets to the struct's size, also in those
 * that a function fills; the rest is set to zero, then to what is meant. A size that the library does not
 * know is DFS_ERR_STRUCT. dfs_pool is set to zero before its first use, and stays in its place while it is
 * mounted. dfs_file and dfs_dir may be anywhere, as many as the program likes.
 *
 * Threads and interrupts
 * ----------------------
 * No function has state of its own: different pools may be used by different threads at a time. Calls on one
 * pool must not overlap, unless dfs_config.lock keeps them apart. There is one transaction at a time,
 * whichever thread began it: threads that change things agree on who does, or lock from dfs_begin to
 * dfs_commit. dfs_format, dfs_mount and dfs_unmount are for when no other thread uses the pool. No function
 * is to be called from an interrupt. Calls wait for the disks; they never sleep or allocate.
 *
 * Misuse
 * ------
 * Found, and answered by a code with nothing done: null and misaligned pointers; a struct of another version;
 * a pool that is not mounted, is mounted twice, or was copied; a call from a callback; a file that is closed,
 * of another pool, of an earlier mount, or made by a transaction that was undone.
 *
 * Not found, and undefined: pointers to memory that is not there, or is shorter than is said; a
 * configuration, disks or lent memory that change while the pool is mounted; buffers that lie in lent memory
 * or in a struct of the library; callbacks that do other than is asked of them, or do not return; two threads
 * without a lock; a dfs_pool that was not zero before its first use. A copy of a dfs_file is a file of its
 * own: closing one does not close the other, and lets go of one pin.
 *
 * Panics
 * ------
 * No bytes on a disk make the library panic. If an error in it does, a host program prints where and ends. On
 * bare metal the library calls a function that the program defines and that does not return, as a reset does
 * not:
 *
 *     void dfs_panic(void);
 *
 * What was committed is safe then; the pool must not be called any more without a reset.
 */


#ifndef DYNAMICFS_H
#define DYNAMICFS_H

#include <stddef.h>
#include <stdint.h>

// Success.
#define DFS_OK 0

// A pointer is null, or not aligned to what it points to.
#define DFS_ERR_POINTER -1

// A struct's `struct_bytes` is not the size that this library knows: it was not set, or program and
// library were built with headers of different versions.
#define DFS_ERR_STRUCT -2

// A callback is null that is needed.
#define DFS_ERR_CALLBACK -3

// An argument is outside its bounds, or contradicts another.
#define DFS_ERR_ARGUMENT -4

// No pool is mounted in the struct.
#define DFS_ERR_NOT_MOUNTED -5

// A pool is mounted in the struct already.
#define DFS_ERR_MOUNTED -6

// The struct was copied from where the pool was mounted.
#define DFS_ERR_MOVED -7

// The call came from a callback of a call on the same pool, or from another thread where there is no
// lock.
#define DFS_ERR_REENTERED -8

// The callback `lock` refused.
#define DFS_ERR_LOCK -9

// The file or directory was never opened, is closed, or is another pool's.
#define DFS_ERR_HANDLE -10

// The file or directory was opened in an earlier mount, or made by a transaction that was undone. It is
// only to be closed.
#define DFS_ERR_STALE -11

// The file was not opened for this.
#define DFS_ERR_ACCESS -12

// No such object, name or attribute.
#define DFS_ERR_NOT_FOUND -20

// The name is taken.
#define DFS_ERR_EXISTS -21

// A directory was expected.
#define DFS_ERR_NOT_A_DIRECTORY -22

// It is a directory.
#define DFS_ERR_IS_A_DIRECTORY -23

// The directory has entries.
#define DFS_ERR_NOT_EMPTY -24

// A name is empty, longer than 255 bytes, `.` or `..`; a path is not ended within `DFS_PATH_BYTES_MAX`
// bytes.
#define DFS_ERR_NAME -25

// A directory cannot be moved below itself.
#define DFS_ERR_INTO_ITSELF -26

// It has no contents: a device, a symbolic link.
#define DFS_ERR_NOT_A_FILE -27

// An object, name, value or number of links would exceed its limit, or a buffer is too short.
#define DFS_ERR_TOO_LARGE -28

// 256 names of a directory share a hash: impossible without the pool's seed.
#define DFS_ERR_HASH_FULL -29

// As many objects are pinned as `dfs_config.pins` allows.
#define DFS_ERR_PINS_FULL -30

// These bytes are lost: too few fragments can be read and verified. `object` and `offset` tell which.
#define DFS_ERR_UNREADABLE -31

// No replica of a node of the tree can be read: `member` and `block` tell the first.
#define DFS_ERR_NODE_UNREADABLE -40

// A record is not what its key says: `object`.
#define DFS_ERR_RECORD_INVALID -41

// A record is in a form that this version does not know: `object`.
#define DFS_ERR_RECORD_UNSUPPORTED -42

// No space is left but what is kept back so that deleting can go on.
#define DFS_ERR_NO_SPACE -43

// Too little memory is lent: `bytes` tells how much would do.
#define DFS_ERR_NEEDS_MEMORY -44

// The tree would need more levels than the format has.
#define DFS_ERR_TREE_FULL -45

// Too few disks are there for the scheme, or are left to go on safely. The transaction was undone.
#define DFS_ERR_TOO_FEW_DISKS -46

// The pool is mounted for reading, or became read-only after disks failed.
#define DFS_ERR_READ_ONLY -47

// Whether the commit happened will be seen when the pool is mounted anew. Nothing is written until
// then.
#define DFS_ERR_OUTCOME_UNKNOWN -48

// Something else has written to the pool since it was mounted: seen on `disk`. Unmount, and mount anew.
#define DFS_ERR_OTHER_WRITER -49

// Another disk is where `disk` was. The transaction was undone; the next one goes on without it.
#define DFS_ERR_EXCHANGED -50

// What `disk` is stored in has no room. The transaction was undone.
#define DFS_ERR_NO_SPACE_BELOW -51

// The system refuses to write to `disk`. The transaction was undone.
#define DFS_ERR_REFUSED_BELOW -52

// Changes are made in a transaction, and none is open.
#define DFS_ERR_NO_TRANSACTION -53

// An earlier call of the transaction failed half-way: it can only be aborted.
#define DFS_ERR_POISONED -54

// A transaction is open, and this is not done inside one.
#define DFS_ERR_IN_TRANSACTION -55

// A write did not suit its disk's size or alignment: its geometry changed, or is wrong. The transaction
// was undone.
#define DFS_ERR_BAD_REQUEST -56

// The pool has, or the configuration asks for, what this library was built without.
#define DFS_ERR_NEEDS_FEATURE -57

// No disk carries a label of the pool.
#define DFS_ERR_NO_POOL -70

// `disk` was made by a newer version.
#define DFS_ERR_UNSUPPORTED -71

// `disk` is shorter than its label says: it should have `bytes`.
#define DFS_ERR_TRUNCATED -72

// `disk` has larger sectors than the pool allows.
#define DFS_ERR_LARGE_SECTORS -73

// The label of `disk` contradicts the others.
#define DFS_ERR_LABELS_DISAGREE -74

// `disk` is a copy of another disk of the pool.
#define DFS_ERR_CLONED -75

// No valid superblock on any disk.
#define DFS_ERR_NO_SUPERBLOCK -76

// Members are absent that could hold a newer commit.
#define DFS_ERR_MISSING -77

// The power went while the pool was made. Nothing was stored in it; make it again, without `force`.
#define DFS_ERR_UNFINISHED -78

// Two disks hold different histories of the pool: `disk` is one of them.
#define DFS_ERR_DIVERGED -79

// The callback `entropy` failed.
#define DFS_ERR_ENTROPY -80

// No disks, or more than such a pool or this library can have.
#define DFS_ERR_DISK_COUNT -81

// A size or scheme is outside its bounds, or does not fit the others.
#define DFS_ERR_PARAMETER -82

// `disk` is too small: it needs `bytes`.
#define DFS_ERR_DISK_TOO_SMALL -83

// `disk` is too large: it may have `bytes`.
#define DFS_ERR_DISK_TOO_LARGE -84

// Sector, alignment or tear unit of `disk` are out of bounds, or do not fit the pool's block.
#define DFS_ERR_GEOMETRY -85

// `disk` holds a pool already; only `force` makes another on it.
#define DFS_ERR_IN_USE -86

// `disk` did not do what it was asked while the pool was made.
#define DFS_ERR_IO -87

// Places of `disk` where labels may be cannot be read: there may be a pool on it. Only `force` makes another
// on it.
#define DFS_ERR_LABEL_UNREADABLE -88

// An error that this version of the interface has no code for.
#define DFS_ERR_UNKNOWN -99

// The version of this interface: it changes when a struct or a function does.
#define DFS_API_VERSION 1

// Bytes of a path, with the zero at its end.
#define DFS_PATH_BYTES_MAX 4096

// `dfs_disk.flags`: what was written is durable when `write` returns, without a flush.
#define DFS_DISK_WRITE_THROUGH 1

// What a disk's callback returns: done, all of it.
#define DFS_IO_OK 0

// What a disk's callback returns: the disk does not answer any more. It is used again after the next mount.
#define DFS_IO_GONE 1

// What a disk's callback returns: the medium could not read or store these sectors. So does any code that is
// not named here.
#define DFS_IO_MEDIA 2

// What a disk's callback returns: no answer in time. The disk counts as gone.
#define DFS_IO_TIMEOUT 3

// What a disk's callback returns: the disk refuses writes.
#define DFS_IO_WRITE_PROTECTED 4

// What a disk's callback returns: what the disk is stored in has no room.
#define DFS_IO_NO_SPACE 5

// What a disk's callback returns: the system refuses, the disk is well.
#define DFS_IO_REFUSED 6

// `dfs_stat_info.kind`: a file.
#define DFS_KIND_FILE 1

// `dfs_stat_info.kind`: a directory.
#define DFS_KIND_DIRECTORY 2

// `dfs_stat_info.kind`: a symbolic link. Larger numbers are device nodes, pipes and sockets: names without
// contents.
#define DFS_KIND_SYMLINK 3

// `dfs_open`, `dfs_create`: the file is read.
#define DFS_OPEN_READ 1

// `dfs_open`, `dfs_create`: the file is written.
#define DFS_OPEN_WRITE 2

// `dfs_open`, `dfs_create`: each `dfs_write` goes to the end of the file. It needs `DFS_OPEN_WRITE`.
#define DFS_OPEN_APPEND 4

// `dfs_create`: a file that is there is refused.
#define DFS_OPEN_NEW 8

// `dfs_lseek`: from the beginning.
#define DFS_SEEK_SET 0

// `dfs_lseek`: from where the file is.
#define DFS_SEEK_CUR 1

// `dfs_lseek`: from the end.
#define DFS_SEEK_END 2

// Bytes of a name in a directory, without the zero at its end.
#define DFS_NAME_BYTES_MAX 255

// `dfs_rename`: what the new name meant is removed, if it is of the same sort: an empty directory for a
// directory, anything else for anything else.
#define DFS_RENAME_REPLACE 0

// `dfs_rename`: a new name that is there is refused.
#define DFS_RENAME_NO_REPLACE 1

// `dfs_rename`: both names are there, and exchange what they mean.
#define DFS_RENAME_EXCHANGE 2

// `dfs_set_attribute`: the attribute is made or replaced.
#define DFS_ATTRIBUTE_ANY 0

// `dfs_set_attribute`: one that is there is refused.
#define DFS_ATTRIBUTE_CREATE 1

// `dfs_set_attribute`: one that is not there is refused.
#define DFS_ATTRIBUTE_REPLACE 2

// Bytes of an attribute's value.
#define DFS_ATTRIBUTE_BYTES_MAX 4096

// A disk: what it is like, and how it is read and written. Everything is counted in sectors from the disk's
// beginning. Fields that are zero have the value that is named.
//
// Each callback does all of its work and returns `DFS_IO_OK`, or another `DFS_IO_` code. `context` is handed
// to it. It may wait, and must not call a function of this header on the pool that calls it: the call is
// refused, with `DFS_ERR_REENTERED`, or `DFS_ERR_NOT_MOUNTED` while the pool is made or mounted.
typedef struct dfs_disk {
    // `sizeof(dfs_disk)`.
    uint32_t struct_bytes;
    // `DFS_DISK_` flags. 0: a cache that loses what was not flushed.
    uint32_t flags;
    // Sectors on the disk. 0: a place without a disk, as an empty card slot.
    uint64_t sectors;
    // Bytes of a sector, a power of two, 512 to 16384.
    uint32_t sector_bytes;
    // Bytes that a power cut in a write may damage: the aligned unit of this size around each written
    // sector. A power of two, at least a sector. 0: a sector.
    uint32_t tear_unit;
    // Alignment in bytes that buffers must have in memory, a power of two. 0: any will do. More than 1 takes
    // the feature `staging`.
    uint32_t buffer_alignment;
    // Zero (`DFS_ERR_ARGUMENT`).
    uint32_t reserved;
    // Handed to the callbacks.
    void *context;
    // Reads `count` sectors from `sector` on into `bytes`.
    int32_t (*read)(void *context, uint64_t sector, void *bytes, uint32_t count);
    // Writes `count` sectors from `sector` on.
    int32_t (*write)(void *context, uint64_t sector, const void *bytes, uint32_t count);
    // Makes durable what was written before. After an error nothing written since the last good flush can be
    // relied on.
    int32_t (*flush)(void *context);
    // `count` sectors from `sector` on are no longer needed. Null: the disk has no such command.
    int32_t (*discard)(void *context, uint64_t sector, uint64_t count);
} dfs_disk;

// What the machine lends a pool. The struct, the disks, and the memory stay where they are, unchanged, as
// long as the pool is mounted: the library keeps their addresses. `static const` is a good place for the
// first two. Fields that are zero have the value that is named.
typedef struct dfs_config {
    // `sizeof(dfs_config)`.
    uint32_t struct_bytes;
    // Disks, 1 or more.
    uint32_t disk_count;
    // The disks.
    const struct dfs_disk *disks;
    // Memory that the pool has for itself until it is unmounted, of any alignment.
    void *memory;
    // Its bytes: `dfs_memory_to_format` and `dfs_memory_to_mount` tell how many are needed. More are used.
    size_t memory_bytes;
    // Nodes of the tree that the cache may hold. 0: the least. More save reads, and ask for more memory.
    uint32_t cache_nodes;
    // Files that may be open at a time and stay readable when they are unlinked. 0: unlinked files are gone
    // at once, and any number may be open. It takes the feature `pins` (`DFS_ERR_NEEDS_FEATURE`), and 16
    // bytes of memory each; `dfs_mount_ro` needs none.
    uint32_t pins;
    // The 16 bytes of the pool's identity, where disks of several pools may be among these. Null: the first
    // that is found.
    const uint8_t *pool_identity;
    // Handed to `lock` and `unlock`.
    void *lock_context;
    // Called before each use of the pool, where several threads have it; 0 when the lock is taken. Every
    // call of it that returned 0 is followed by one `unlock`, in the same thread, before the function
    // returns. The lock must be recursive, or refuse (non-zero: `DFS_ERR_LOCK`) a thread that holds it: only
    // then is a call from a callback told as `DFS_ERR_REENTERED`. Null: one thread uses the pool.
    int32_t (*lock)(void *context);
    // Gives back what `lock` took. Needed where `lock` is.
    void (*unlock)(void *context);
    // Handed to `now` and `monotonic_micros`.
    void *clock_context;
    // The time of day, for the times that objects carry: seconds since 1970, and nanoseconds below
    // 1,000,000,000. Null: objects carry no times.
    void (*now)(void *context, int64_t *seconds, uint32_t *nanoseconds);
    // Microseconds from any moment, never running backwards. Null: no latencies are measured.
    uint64_t (*monotonic_micros)(void *context);
    // Handed to `entropy`.
    void *entropy_context;
    // Fills `bytes` with random bytes, 0 when it did. Needed by `dfs_format` alone. Two pools must never be
    // given the same: a hardware generator is best, a secret of the board with a counter will do.
    int32_t (*entropy)(void *context, void *bytes, size_t count);
} dfs_config;

// What a new pool is like, for good. Fields that are zero have the value that is named: that of a pool which
// firmware with tens of KiB of memory shares with servers.
typedef struct dfs_format_options {
    // `sizeof(dfs_format_options)`.
    uint32_t struct_bytes;
    // Data fragments of a stripe, 1 to 16. 0: 1. With 1 a scheme is a mirror of `parity + 1` copies.
    uint32_t data;
    // Parity fragments, 0 to 4: the disks that may be lost.
    uint32_t parity;
    // Disks that may be lost without losing the tree, up to 4; never fewer than `parity`.
    uint32_t tolerance;
    // Bytes of a tree node: a power of two, 512 to 16384, every disk's sector at least. 0: 512, or the
    // largest sector.
    uint32_t node_bytes;
    // Bytes of a block, the allocation unit: a power of two, a node at least, every disk's tear unit at
    // least, 65536 at most. 0: 512, or the largest tear unit.
    uint32_t block_bytes;
    // Bytes of a chunk, the unit of verification: a power of two, 512 to 16384, every disk's sector at
    // least. 0: 512, or the largest sector.
    uint32_t chunk_bytes;
    // Bytes of an extent of new files: a power of two, 4096 to 4194304. 0: 4096.
    uint32_t extent_bytes;
    // Disks that the pool can ever have at a time, 1 to 64. 0: 4.
    uint32_t members_max;
    // Superblock slots in each ring: a power of two, 4 to 64. 0: 4.
    uint32_t ring_length;
    // 1: formats disks that belong to a pool, which is lost.
    uint32_t force;
} dfs_format_options;

// How much memory is to be lent.
typedef struct dfs_memory_needs {
    // `sizeof(dfs_memory_needs)`.
    uint32_t struct_bytes;
    // Nodes that the cache has, with `dfs_config.cache_nodes` as it is.
    uint32_t cache_nodes;
    // `dfs_config.memory_bytes` for `dfs_mount` and `dfs_format`.
    size_t bytes;
    // `dfs_config.memory_bytes` for `dfs_mount_ro`.
    size_t bytes_to_read;
} dfs_memory_needs;

// What an error was about. What a code does not name is -1 for numbers of disks and members, and else 0.
typedef struct dfs_error_info {
    // `sizeof(dfs_error_info)`.
    uint32_t struct_bytes;
    // The code, 0 if there was no error yet.
    int32_t code;
    // The disk, by its place in `dfs_config.disks`.
    int32_t disk;
    // The number of a member of the pool: for `block`.
    int32_t member;
    // A block of that member, counted from the disk's beginning in blocks of the pool.
    uint64_t block;
    // The number of an object.
    uint64_t object;
    // The first byte of the object that is meant.
    uint64_t offset;
    // Bytes that would do, of memory or of the disk. Of memory, as far as was known: what was lent may have
    // been too little to read how much the pool takes.
    uint64_t bytes;
} dfs_error_info;

// A pool. All fields are the library's. Set it to zero before its first use (a static one is), leave it
// where it is while a pool is mounted, and use it again after `dfs_unmount` as it is.
typedef struct dfs_pool {
    uint32_t magic;
    uint32_t mount;
    uint32_t busy;
    uint32_t is_read;
    uint32_t transaction;
    uint64_t undone;
    const struct dfs_pool *place;
    const struct dfs_config *config;
    void *mounted;
    struct dfs_error_info last;
} dfs_pool;

// What files and directories that are open have. All fields are the library's.
typedef struct dfs_opened {
    uint32_t magic;
    uint32_t mount;
    uint32_t transaction;
    uint32_t flags;
    const struct dfs_pool *owner;
    uint64_t object;
    uint64_t position;
} dfs_opened;

// An open file. It owns nothing: one that is forgotten instead of closed holds a pin until the pool is
// unmounted, and nothing else.
typedef struct dfs_file {
    struct dfs_opened opened;
} dfs_file;

// The attributes of an object.
typedef struct dfs_stat_info {
    // `sizeof(dfs_stat_info)`.
    uint32_t struct_bytes;
    // What it is: `DFS_KIND_`.
    uint32_t kind;
    // Its number: the same as long as the object is there.
    uint64_t object;
    // Bytes of its contents; entries of a directory.
    uint64_t size;
    // When the contents were last changed, in seconds since 1970; 0 on a machine without a clock.
    int64_t modified_seconds;
    // When the object was made.
    int64_t created_seconds;
    // Nanoseconds of `modified_seconds`.
    uint32_t modified_nanoseconds;
    // Nanoseconds of `created_seconds`.
    uint32_t created_nanoseconds;
    // Names that it has.
    uint32_t links;
    // Permission bits, 07777 at most. They are stored, and not enforced.
    uint32_t mode;
    // The owner.
    uint32_t uid;
    // The group.
    uint32_t gid;
} dfs_stat_info;

// An open directory. It owns nothing.
typedef struct dfs_dir {
    struct dfs_opened opened;
} dfs_dir;

// An entry of a directory.
typedef struct dfs_entry {
    // `sizeof(dfs_entry)`.
    uint32_t struct_bytes;
    // What it is: `DFS_KIND_`.
    uint32_t kind;
    // Its object's number.
    uint64_t object;
    // Bytes of its contents; entries of a directory.
    uint64_t size;
    // Bytes of the name, without the zero at its end.
    uint32_t name_bytes;
    // The name, ended by a zero. Names are bytes, in no particular encoding.
    uint8_t name[256];
} dfs_entry;

// How a pool is. From memory: nothing is read.
typedef struct dfs_health_info {
    // `sizeof(dfs_health_info)`.
    uint32_t struct_bytes;
    // 1 if the pool takes writes with the disks that are left.
    uint32_t writable;
    // 1 if a mount for reading does not see every member at its state: the next mount may find another.
    uint32_t tentative;
    // 1 if a transaction is open.
    uint32_t in_transaction;
    // Members of the pool; 0 where it is mounted by `dfs_mount_ro`, as all that follows but for
    // `generation`.
    uint32_t members;
    // Members that take part.
    uint32_t online;
    // Members that are owed something they missed.
    uint32_t owed;
    // More disks that may fail before something becomes unreadable, at least.
    uint32_t read_tolerance;
    // More disks that may fail, one after the other, before the pool stops taking writes.
    uint32_t write_tolerance;
    // Bad fragments and nodes that reads found, and that wait to be rewritten by `dfs_maintenance_step`.
    uint32_t repairs_waiting;
    // The number of the last commit.
    uint64_t generation;
    // Bytes of a block.
    uint64_t block_bytes;
    // Blocks that may be allocated, in all.
    uint64_t blocks;
    // Blocks that are free.
    uint64_t free_blocks;
    // Blocks that are free once maintenance has given them back.
    uint64_t dead_blocks;
    // Objects.
    uint64_t objects;
    // The pool's identity.
    uint8_t pool_identity[16];
} dfs_health_info;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The text of a code. English, static, ended by a zero, never null; positive codes and unknown ones have one
// too. It needs no pool, and may be called from anywhere, also from callbacks.
const char *dfs_strerror(int32_t code);

// Tells how much memory a pool with these options takes, on these disks, with this cache and these pins.
// `config.memory` may be null; no callback is called. 0, or `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`,
// `_ARGUMENT`, `_GEOMETRY`, `_DISK_COUNT`, `_PARAMETER`. What `dfs_format` refuses for other reasons may be
// told too: whether the sizes go together is not looked at.
//
// It needs no pool. It may be called at any time, from any thread.
int32_t dfs_memory_to_format(const struct dfs_config *config,
                             const struct dfs_format_options *options,
                             struct dfs_memory_needs *needs);

// Tells how much memory the pool takes that is on these disks, with this cache and these pins: it reads the
// disks' labels. `config.memory` is used as a buffer: one sector of the largest disk, and its alignment. 0,
// or `DFS_ERR_NO_POOL` where there is no label, `DFS_ERR_LABEL_UNREADABLE` where there may be one,
// `DFS_ERR_NEEDS_MEMORY` where the buffer is too short, and those of `dfs_memory_to_format`.
//
// No other call may be under way that uses the memory or the disks.
int32_t dfs_memory_to_mount(const struct dfs_config *config, struct dfs_memory_needs *needs);

// Makes a pool on all disks of the configuration and mounts it for reading and writing. **What is on them is
// lost.** A disk that belongs to a pool is refused (`DFS_ERR_IN_USE`), and one that may and cannot be read
// (`DFS_ERR_LABEL_UNREADABLE`), unless `options.force` is set.
//
// `pool` is zero, or was unmounted. `config` and what it points to stay in place until `dfs_unmount`.
//
// 0, or a code: nothing is mounted then, and `dfs_last_error` tells the disk or the memory that is meant.
// Until the first byte is written: `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`, `_ARGUMENT`, `_MOUNTED`,
// `_LOCK`, `_DISK_COUNT`, `_TOO_FEW_DISKS`, `_PARAMETER`, `_GEOMETRY`, `_DISK_TOO_SMALL`, `_DISK_TOO_LARGE`,
// `_IN_USE`, `_LABEL_UNREADABLE`, `_ENTROPY`, `_NEEDS_MEMORY`, `_NEEDS_FEATURE`. After it those of a disk
// that failed.
int32_t dfs_format(struct dfs_pool *pool,
                   const struct dfs_config *config,
                   const struct dfs_format_options *options);

// Mounts a pool for reading and writing. It recovers what the last mount left, whenever the power went, and
// flushes every disk. A pool that is whole is not written to before the first transaction.
//
// `pool` is zero, or was unmounted. `config` and what it points to stay in place until `dfs_unmount`.
//
// 0, or a code: nothing is mounted then, and `dfs_last_error` tells the disk or the memory that is meant.
// `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`, `_ARGUMENT`, `_MOUNTED`, `_LOCK`, `_DISK_COUNT`, `_GEOMETRY`;
// and of the disks `DFS_ERR_NO_POOL`, `_LABEL_UNREADABLE`, `_MISSING`, `_UNSUPPORTED`, `_TRUNCATED`,
// `_LARGE_SECTORS`, `_LABELS_DISAGREE`, `_CLONED`, `_NO_SUPERBLOCK`, `_UNFINISHED`, `_DIVERGED`,
// `_NEEDS_FEATURE`, `_NEEDS_MEMORY`, `_NODE_UNREADABLE`.
int32_t dfs_mount(struct dfs_pool *pool, const struct dfs_config *config);

// Mounts a pool for reading alone, in less memory. Nothing is written to any disk. A program that mounts
// with this function alone, and calls no function that changes something, links no code that writes.
//
// As `dfs_mount` else. Functions that change something answer `DFS_ERR_READ_ONLY`.
int32_t dfs_mount_ro(struct dfs_pool *pool, const struct dfs_config *config);

// Gives a pool up. What was committed is durable, and an open transaction is undone; nothing is written.
// Files and directories that are open can only be closed. The disks, the memory and the configuration are
// the caller's again.
//
// 0, or `DFS_ERR_POINTER`, `_NOT_MOUNTED`, `_MOVED`, `_LOCK`, `_REENTERED`. No other thread may use the pool
// meanwhile, nor begin to.
int32_t dfs_unmount(struct dfs_pool *pool);

// Begins a transaction. All that changes is part of one, and there is one at a time: durable as a whole when
// `dfs_commit` is back, undone by `dfs_abort`, `dfs_unmount`, or when the power goes before. What reads the
// pool meanwhile sees its changes.
//
// The first of a mount writes to every disk. Where space is scarce, deleted files are freed first.
//
// 0, or `DFS_ERR_IN_TRANSACTION`, `_READ_ONLY`, `_TOO_FEW_DISKS`, `_OTHER_WRITER`, `_EXCHANGED`,
// `_OUTCOME_UNKNOWN`, and those of disks and of misuse.
//
// A call that fails inside a transaction need not end it. After `DFS_ERR_NO_SPACE`, and after errors of
// names, kinds, arguments and limits, it goes on as it was. After others later calls may answer
// `DFS_ERR_POISONED`: then it can only be aborted.
int32_t dfs_begin(struct dfs_pool *pool);

// Makes the changes of the open transaction durable, and ends it.
//
// 0, or a code. After `DFS_ERR_NO_TRANSACTION` nothing happened. After any other all was undone, but after
// `DFS_ERR_OUTCOME_UNKNOWN`: then only the next mount tells. There is no open transaction then.
int32_t dfs_commit(struct dfs_pool *pool);

// Undoes the open transaction, and ends it. Files and directories that it made, and that are
// open, can only be closed.
//
// 0, also where none is open; `DFS_ERR_READ_ONLY` on a pool that is mounted for reading; or the codes of
// misuse.
int32_t dfs_abort(struct dfs_pool *pool);

// 1 if a transaction is open, 0 if none is, or the codes of misuse.
int32_t dfs_in_transaction(struct dfs_pool *pool);

// Opens the file at a path, at its beginning; `flags` are of `DFS_OPEN_`. Paths go from the root; slashes at
// either end are passed over, symbolic links are not followed. As many files are open at a time as there are
// structs for; one file may be open several times. `file` needs no preparation, and what it held is not
// looked at. To make a file there is `dfs_create`, to cut one `dfs_truncate`: a program that does neither
// links no code for it.
//
// A file that a transaction made goes with it where that is undone: it is `DFS_ERR_STALE` then. After the
// commit it stays open, but it must be used once before 64 more transactions have begun: what came of
// earlier ones is not remembered, and it is `DFS_ERR_STALE` too.
//
// Where `config.pins` is not 0 the file is pinned: unlinked, it stays as it is until it is closed. Else it
// is `DFS_ERR_NOT_FOUND` from then on.
//
// 0, or `DFS_ERR_NOT_FOUND`, `_NAME`, `_NOT_A_DIRECTORY`, `_IS_A_DIRECTORY`, `_NOT_A_FILE`, `_READ_ONLY`,
// `_PINS_FULL`, `_ARGUMENT`, and those of disks and of misuse. After an error `file` is not open.
int32_t dfs_open(struct dfs_pool *pool, struct dfs_file *file, const char *path, uint32_t flags);

// Opens the file at a path as `dfs_open` does, and makes it, in the open transaction, if it is not there;
// with `DFS_OPEN_NEW` one that is there is refused. `flags` must have `DFS_OPEN_WRITE`.
//
// 0, or the codes of `dfs_open`, `DFS_ERR_EXISTS`, `_NO_TRANSACTION`, `_NO_SPACE`. After an error `file` is
// not open; after `DFS_ERR_PINS_FULL` the file is made all the same.
int32_t dfs_create(struct dfs_pool *pool, struct dfs_file *file, const char *path, uint32_t flags);

// Closes a file. Nothing is written and nothing becomes durable: that is the transaction's affair.
//
// 0, or `DFS_ERR_HANDLE` where it is closed already, and the other codes of misuse. `DFS_ERR_STALE` is told
// once, and the file is closed.
int32_t dfs_close(struct dfs_pool *pool, struct dfs_file *file);

// Reads on, up to `count` bytes; how many, fewer only at the end of the file, 0 behind it. Every byte was
// compared with its checksum. Of more than 2^31 - 1 bytes so many are read.
//
// After an error the position is as it was, and `bytes` hold zeros or nothing to be used:
// `DFS_ERR_UNREADABLE` where they are lost, `_NOT_FOUND` where the file was unlinked and not pinned,
// `_ACCESS`, and those of disks and of misuse.
int32_t dfs_read(struct dfs_pool *pool, struct dfs_file *file, void *bytes, size_t count);

// As `dfs_read`, from byte `offset` on. The position stays.
int32_t dfs_pread(struct dfs_pool *pool, struct dfs_file *file, void *bytes, size_t count, uint64_t offset);

// Writes on, in the open transaction; how many bytes: all, or fewer where space ends. What lies between the
// end of the file and what is written reads as zeros. Of more than 2^31 - 1 bytes so many are written.
//
// After an error the position is as it was: `DFS_ERR_NO_TRANSACTION`, `_NO_SPACE` where there is room for
// nothing, `_TOO_LARGE` beyond 2^48 bytes, `_ACCESS`, `_NOT_FOUND` as `dfs_read` has it, `_POISONED`, and
// those of disks and of misuse.
int32_t dfs_write(struct dfs_pool *pool, struct dfs_file *file, const void *bytes, size_t count);

// As `dfs_write`, from byte `offset` on, also where the file was opened with `DFS_OPEN_APPEND`. The position
// stays.
int32_t dfs_pwrite(struct dfs_pool *pool,
                   struct dfs_file *file,
                   const void *bytes,
                   size_t count,
                   uint64_t offset);

// Goes to another position, also behind the end: the position, or `DFS_ERR_ARGUMENT` before the beginning
// and for another `whence` than `DFS_SEEK_`, and those of disks and of misuse. The position stays then.
int64_t dfs_lseek(struct dfs_pool *pool, struct dfs_file *file, int64_t offset, int32_t whence);

// Cuts a file to `size` bytes, or lets it grow to them, in the open transaction: what is new reads as zeros
// and takes no space. The position stays, also behind the end.
//
// 0, or the codes of `dfs_write`.
int32_t dfs_truncate(struct dfs_pool *pool, struct dfs_file *file, uint64_t size);

// The attributes of an open file, into `out`, whose `struct_bytes` the caller set. 0, or `DFS_ERR_NOT_FOUND`
// as `dfs_read` has it, and those of disks and of misuse.
int32_t dfs_fstat(struct dfs_pool *pool, struct dfs_file *file, struct dfs_stat_info *out);

// Makes durable what was written. **It commits everything that the open transaction changed**, through this
// file or not, because a transaction is all or nothing; then the transaction goes on, begun anew. Where none
// is open everything is durable already.
//
// 0, or a code of `dfs_commit`: the transaction is over then, and was undone unless that code says
// otherwise.
int32_t dfs_fsync(struct dfs_pool *pool, struct dfs_file *file);

// The attributes of what is at a path, into `out`, whose `struct_bytes` the caller set. Symbolic links are
// not followed. 0, or `DFS_ERR_NOT_FOUND`, `_NOT_A_DIRECTORY`, `_NAME`, and those of disks and of misuse.
int32_t dfs_stat(struct dfs_pool *pool, const char *path, struct dfs_stat_info *out);

// Makes a directory, in the open transaction. 0, or `DFS_ERR_EXISTS`, `_NOT_FOUND` of the directory above
// it, `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of disks and of misuse.
int32_t dfs_mkdir(struct dfs_pool *pool, const char *path);

// Removes the name of a file or of anything else that is no directory, in the open transaction, and with its
// last name the object; `dfs_open` says what becomes of an open file. Its space is free some steps of
// `dfs_maintenance_step` after the commit.
//
// 0, or `DFS_ERR_NOT_FOUND`, `_IS_A_DIRECTORY`, `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, and those of
// disks and of misuse.
int32_t dfs_unlink(struct dfs_pool *pool, const char *path);

// Removes an empty directory, in the open transaction. 0, or `DFS_ERR_NOT_EMPTY`, `_NOT_FOUND`,
// `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, and those of disks and of misuse.
int32_t dfs_rmdir(struct dfs_pool *pool, const char *path);

// Gives an object another name, in the open transaction; `mode`, one of `DFS_RENAME_`, says what becomes of
// what the new name meant. Open files stay open.
//
// 0, or `DFS_ERR_NOT_FOUND`, `_EXISTS`, `_NOT_EMPTY`, `_NOT_A_DIRECTORY`, `_IS_A_DIRECTORY`, `_INTO_ITSELF`,
// `_NAME`, `_ARGUMENT`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of disks and of misuse.
int32_t dfs_rename(struct dfs_pool *pool, const char *from, const char *to, uint32_t mode);

// Opens the directory at a path, before its first entry; `/` and the empty path are the root. `dir` needs no
// preparation. Anything may be done with the pool while it is open. One that a transaction made goes with it
// where that is undone, as `dfs_open` has it.
//
// 0, or `DFS_ERR_NOT_FOUND`, `_NOT_A_DIRECTORY`, `_NAME`, and those of disks and of misuse.
int32_t dfs_opendir(struct dfs_pool *pool, struct dfs_dir *dir, const char *path);

// The next entry, into `out`, whose `struct_bytes` the caller set: 1, or 0 behind the last. Entries come in
// no particular order. A name that is there all the time is met exactly once, whatever changes beside it.
// There is no `.` and no `..`.
//
// After an error the position is as it was: `DFS_ERR_NOT_FOUND` where the directory was removed, and those
// of disks and of misuse.
int32_t dfs_readdir(struct dfs_pool *pool, struct dfs_dir *dir, struct dfs_entry *out);

// Goes back before the first entry. 0, or the codes of misuse.
int32_t dfs_rewinddir(struct dfs_pool *pool, struct dfs_dir *dir);

// Where the listing is: what `dfs_seekdir` takes, at most 2^63 - 1, good as long as the pool is there. 0 is
// before the first entry. Or the codes of misuse.
int64_t dfs_telldir(struct dfs_pool *pool, struct dfs_dir *dir);

// Goes to where a listing of the directory was. 0, or `DFS_ERR_ARGUMENT` for a negative position, or the
// codes of misuse.
int32_t dfs_seekdir(struct dfs_pool *pool, struct dfs_dir *dir, int64_t position);

// Closes a directory. 0, or `DFS_ERR_HANDLE` where it is closed already, and the other codes of misuse;
// `DFS_ERR_STALE` is told once, and the directory is closed.
int32_t dfs_closedir(struct dfs_pool *pool, struct dfs_dir *dir);

// The value of an extended attribute of what is at a path, into `value`, as far as it goes: the bytes of the
// whole value. With a `count` of 0 only these are told.
//
// Or `DFS_ERR_NOT_FOUND` of the path or the attribute, `_NAME`, and those of disks and of misuse.
int32_t dfs_get_attribute(struct dfs_pool *pool,
                          const char *path,
                          const char *attribute,
                          void *value,
                          size_t count);

// The name of the attribute in place `index`, counted from 0, of what is at a path, into `name`, ended by a
// zero: its bytes without that, or 0 behind the last. Attributes have no particular order. Each call goes
// through those before it.
//
// Or `DFS_ERR_TOO_LARGE` where `name` is too short (`DFS_NAME_BYTES_MAX + 1` is enough), `_NOT_FOUND`,
// `_NAME`, and those of disks and of misuse.
int32_t dfs_attribute_name(struct dfs_pool *pool, const char *path, uint32_t index, char *name, size_t count);

// Sets an extended attribute of what is at a path, in the open transaction. `mode` is one of
// `DFS_ATTRIBUTE_`. Its name is 1 to `DFS_NAME_BYTES_MAX` bytes, any but zeros.
//
// 0, or `DFS_ERR_NOT_FOUND` of the path, or of an attribute that is to be replaced, `_EXISTS`, `_NAME`,
// `_TOO_LARGE` above `DFS_ATTRIBUTE_BYTES_MAX`, `_ARGUMENT`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of
// disks and of misuse.
int32_t dfs_set_attribute(struct dfs_pool *pool,
                          const char *path,
                          const char *attribute,
                          const void *value,
                          size_t count,
                          uint32_t mode);

// Removes an extended attribute of what is at a path, in the open transaction. 0, or `DFS_ERR_NOT_FOUND`,
// `_NAME`, `_NO_TRANSACTION`, and those of disks and of misuse.
int32_t dfs_remove_attribute(struct dfs_pool *pool, const char *path, const char *attribute);

// Does one bounded step of the most urgent work: rewrites what reads found damaged, frees some of a deleted
// file, and, with the feature `maintain`, goes on with a rebuild or a scrub. With `sweep` not 0 freed blocks
// are given back where that is worth its writes. Each step is a transaction of its own. Call it when there
// is time, until there is nothing to do; a program that deletes must.
//
// 1 if something was done, 0 if there was nothing to do; or `DFS_ERR_IN_TRANSACTION`, `_READ_ONLY`,
// `_NEEDS_MEMORY` of a job that takes more, those of `dfs_commit`, of disks and of misuse.
int32_t dfs_maintenance_step(struct dfs_pool *pool, uint32_t sweep);

// Starts a scrub from the beginning: steps of maintenance then read and prove everything, and rewrite what
// is wrong. 1 if it was started, 0 if one is running already; or `DFS_ERR_NEEDS_FEATURE` without the feature
// `maintain`, and those of `dfs_maintenance_step`.
int32_t dfs_scrub(struct dfs_pool *pool);

// How the pool is, into `out`, whose `struct_bytes` the caller set: as the last commit left it, and with the
// disks as they are now. Nothing is read. 0, or the codes of misuse.
int32_t dfs_health(struct dfs_pool *pool, struct dfs_health_info *out);

// What the last error of the core was about, into `out`, whose `struct_bytes` the caller set. It is that of
// the last call that failed with a code below `DFS_ERR_ACCESS`, or that did not mount; a call that succeeds
// leaves it. It may be called when nothing is mounted. 0, or the codes of misuse.
int32_t dfs_last_error(struct dfs_pool *pool, struct dfs_error_info *out);

// The interface that the library was built with: `DFS_API_VERSION` of its header.
uint32_t dfs_api_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DYNAMICFS_H */
