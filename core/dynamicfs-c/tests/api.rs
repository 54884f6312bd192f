//! The interface, called from Rust as C calls it: so that Miri can watch (`cargo miri test -p dynamicfs-c
//! --test api`), and what C writes is read by the core.

use core::ffi::{CStr, c_void};
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
use dynamicfs_c::*;
use dynamicfs_core::error::MountError;
use dynamicfs_core::{CacheEntry, DiskState, Memory, MountOptions, Pool, ReadObjects, Services, crc32c};
use dynamicfs_hal::{NoClock, RamDisk, SerialArray};

const SECTOR: usize = 512;
const DISK: usize = 256 << 10;
const DISKS: usize = 2;

/// What a disk's callbacks are handed.
struct Contents {
    bytes: Vec<u8>,
    /// What all requests are answered with, where it is not 0.
    answer: i32,
    /// A pool to be called from the callback, and what it then said.
    again: *mut dfs_pool,
    said: i32,
}

unsafe extern "C" fn read(context: *mut c_void, sector: u64, bytes: *mut c_void, count: u32) -> i32 {
    let disk = context.cast::<Contents>();
    // SAFETY: the context is that of this disk, and nothing else has it.
    let disk = unsafe { &mut *disk };
    if !disk.again.is_null() {
        let mut stat = zeroed_stat();
        // SAFETY: the pool is there.
        disk.said = unsafe { dfs_stat(disk.again, c"/".as_ptr(), &raw mut stat) };
    }
    let from = &disk.bytes[sector as usize * SECTOR..][..count as usize * SECTOR];
    if disk.answer == 0 {
        // SAFETY: the library lends so many bytes.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), bytes.cast(), from.len()) };
    }
    disk.answer
}

unsafe extern "C" fn write(context: *mut c_void, sector: u64, bytes: *const c_void, count: u32) -> i32 {
    // SAFETY: as in `read`.
    let disk = unsafe { &mut *context.cast::<Contents>() };
    let to = &mut disk.bytes[sector as usize * SECTOR..][..count as usize * SECTOR];
    if disk.answer == 0 {
        // SAFETY: the library has so many bytes there.
        unsafe { core::ptr::copy_nonoverlapping(bytes.cast(), to.as_mut_ptr(), to.len()) };
    }
    disk.answer
}

unsafe extern "C" fn flush(context: *mut c_void) -> i32 {
    // SAFETY: as in `read`.
    unsafe { (*context.cast::<Contents>()).answer }
}

unsafe extern "C" fn entropy(_: *mut c_void, bytes: *mut c_void, count: usize) -> i32 {
    // Two disks of one identity would be copies of each other.
    static DRAWN: AtomicU8 = AtomicU8::new(1);
    let drawn = DRAWN.fetch_add(1, Relaxed);
    // SAFETY: the library lends so many bytes.
    unsafe { bytes.cast::<u8>().write_bytes(drawn, count) };
    0
}

unsafe extern "C" fn now(_: *mut c_void, seconds: *mut i64, nanoseconds: *mut u32) {
    // SAFETY: the library lends both.
    unsafe { (seconds.write(1_800_000_000), nanoseconds.write(7)) };
}

/// Disks, memory, and a configuration of them that stays in place.
struct Machine {
    contents: Vec<*mut Contents>,
    disks: Vec<dfs_disk>,
    memory: Vec<u8>,
    config: Box<dfs_config>,
    pool: Box<dfs_pool>,
}

impl Machine {
    /// Memory of so many bytes, that begins `skew` bytes behind an aligned place.
    fn new(bytes: usize, skew: usize) -> Self {
        let contents: Vec<*mut Contents> = (0..DISKS)
            .map(|_| Contents { bytes: vec![0; DISK], answer: 0, again: null_mut(), said: 0 })
            .map(|contents| Box::into_raw(Box::new(contents)))
            .collect();
        let disks: Vec<dfs_disk> = contents
            .iter()
            .map(|&contents| dfs_disk {
                struct_bytes: size_of::<dfs_disk>() as u32,
                flags: 0,
                sectors: (DISK / SECTOR) as u64,
                sector_bytes: SECTOR as u32,
                tear_unit: 0,
                buffer_alignment: 0,
                reserved: 0,
                context: contents.cast(),
                read: Some(read),
                write: Some(write),
                flush: Some(flush),
                discard: None,
            })
            .collect();
        let mut memory = vec![0xAA; bytes + 16];
        let skew = memory.as_ptr().align_offset(8) + skew;
        // SAFETY: zeros are null pointers, absent callbacks and numbers.
        let (mut config, pool): (Box<dfs_config>, Box<dfs_pool>) =
            unsafe { (Box::new(core::mem::zeroed()), Box::new(core::mem::zeroed())) };
        config.struct_bytes = size_of::<dfs_config>() as u32;
        config.disk_count = DISKS as u32;
        config.disks = disks.as_ptr();
        config.memory = memory[skew..].as_mut_ptr().cast();
        config.memory_bytes = bytes;
        config.pins = 2;
        config.entropy = Some(entropy);
        config.now = Some(now);
        Self { contents, disks, memory, config, pool }
    }

    fn pool(&mut self) -> *mut dfs_pool {
        &raw mut *self.pool
    }

    fn config(&self) -> *const dfs_config {
        &raw const *self.config
    }

    fn format(&mut self) -> i32 {
        // SAFETY: zeros are numbers.
        let mut options: dfs_format_options = unsafe { core::mem::zeroed() };
        options.struct_bytes = size_of::<dfs_format_options>() as u32;
        (options.data, options.parity) = (1, 1);
        // SAFETY: all of it stays in place until the machine is dropped.
        unsafe { dfs_format(self.pool(), self.config(), &raw const options) }
    }

    fn mount(&mut self) -> i32 {
        // SAFETY: all of it stays in place until the machine is dropped.
        unsafe { dfs_mount(self.pool(), self.config()) }
    }

    fn unmount(&mut self) -> i32 {
        // SAFETY: the pool is there.
        unsafe { dfs_unmount(self.pool()) }
    }

    /// Writes a file whole, and commits it.
    fn put(&mut self, path: &CStr, bytes: &[u8]) -> i32 {
        let (pool, mut file) = (self.pool(), zeroed_file());
        let file = &raw mut file;
        // SAFETY: the pool, the file and the bytes are there.
        unsafe {
            let done = [
                dfs_begin(pool),
                dfs_create(pool, file, path.as_ptr(), DFS_OPEN_WRITE),
                dfs_write(pool, file, bytes.as_ptr().cast(), bytes.len()),
                dfs_commit(pool),
                dfs_close(pool, file),
            ];
            *done.iter().find(|&&done| done < 0).unwrap_or(&0)
        }
    }

    fn get(&mut self, path: &CStr) -> Result<Vec<u8>, i32> {
        let (pool, mut file, mut bytes) = (self.pool(), zeroed_file(), vec![0u8; 4096]);
        let file = &raw mut file;
        // SAFETY: the pool, the file and the bytes are there.
        let (opened, read, closed) = unsafe {
            (
                dfs_open(pool, file, path.as_ptr(), DFS_OPEN_READ),
                dfs_read(pool, file, bytes.as_mut_ptr().cast(), bytes.len()),
                dfs_close(pool, file),
            )
        };
        let failed = [opened, read, closed].into_iter().find(|&done| done < 0);
        bytes.truncate(read.max(0) as usize);
        failed.map_or(Ok(bytes), Err)
    }

    fn health(&mut self) -> dfs_health_info {
        // SAFETY: zeros are numbers.
        let mut health: dfs_health_info = unsafe { core::mem::zeroed() };
        health.struct_bytes = size_of::<dfs_health_info>() as u32;
        // SAFETY: the pool is there.
        assert_eq!(unsafe { dfs_health(self.pool(), &raw mut health) }, DFS_OK);
        health
    }

    fn last_error(&mut self) -> dfs_error_info {
        // SAFETY: zeros are numbers.
        let mut info: dfs_error_info = unsafe { core::mem::zeroed() };
        info.struct_bytes = size_of::<dfs_error_info>() as u32;
        // SAFETY: the pool is there.
        assert_eq!(unsafe { dfs_last_error(self.pool(), &raw mut info) }, DFS_OK);
        info
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for &contents in &self.contents {
            // SAFETY: they were made so, and nothing uses them any more.
            drop(unsafe { Box::from_raw(contents) });
        }
        assert!(!self.memory.is_empty() && !self.disks.is_empty());
    }
}

fn zeroed_file() -> dfs_file {
    // SAFETY: zeros are numbers and null pointers.
    unsafe { core::mem::zeroed() }
}

fn zeroed_stat() -> dfs_stat_info {
    // SAFETY: zeros are numbers.
    let mut stat: dfs_stat_info = unsafe { core::mem::zeroed() };
    stat.struct_bytes = size_of::<dfs_stat_info>() as u32;
    stat
}

#[test]
fn what_c_writes_the_core_reads_and_the_other_way_round() {
    let mut machine = Machine::new(40 << 10, 0);
    assert_eq!((machine.format(), machine.put(c"log", b"from C")), (DFS_OK, 0));
    assert_eq!(machine.unmount(), DFS_OK);

    let (mut bytes, mut entries, mut states) =
        (vec![0; 40 << 10], vec![CacheEntry::NEW; 16], [DiskState::NEW; DISKS]);
    // SAFETY: the pool is not mounted, so nothing else has the disks.
    let contents = unsafe { [&mut *machine.contents[0], &mut *machine.contents[1]] };
    let array =
        SerialArray::<_, DISKS>::new(contents.map(|disk| RamDisk::new(&mut disk.bytes[..], SECTOR as u32)));
    let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
    let mounted = Pool::mount(array, memory, Services::new(crc32c, &NoClock), &MountOptions::new());
    let mut pool = mounted.map_err(MountError::from).expect("mounted");
    let mut text = [0; 16];
    assert_eq!(pool.read_file(b"log", &mut text), Ok(6));
    assert_eq!(&text[..6], b"from C");
    let object = pool.resolve(b"log").expect("there");
    assert_eq!(pool.inode(object).expect("there").created.seconds, 1_800_000_000);
    let mut transaction = pool.begin().expect("begun");
    transaction.write_file(b"log", b"from Rust").expect("written");
    transaction.commit().expect("committed");
    drop(pool);

    assert_eq!(machine.mount(), DFS_OK);
    assert_eq!(machine.get(c"log"), Ok(b"from Rust".to_vec()));
}

/// However much is lent, and from whichever address on: a mount works, or tells how much would do.
#[test]
fn the_memory_that_is_asked_for_is_enough() {
    for skew in 0..8 {
        let mut machine = Machine::new(40 << 10, skew);
        assert_eq!((machine.format(), machine.unmount()), (DFS_OK, DFS_OK));
        let mut asked = vec![0];
        loop {
            machine.config.memory_bytes = *asked.last().expect("a number");
            let mounted = machine.mount();
            if mounted == DFS_OK {
                break;
            }
            assert_eq!(mounted, DFS_ERR_NEEDS_MEMORY, "{asked:?}");
            let error = machine.last_error();
            assert!(error.bytes as usize > machine.config.memory_bytes, "{asked:?}");
            asked.push(error.bytes as usize);
        }
        assert!(asked.len() <= 4 && *asked.last().expect("a number") < 24 << 10, "{asked:?}");
        assert_eq!((machine.put(c"log", b"small"), machine.get(c"log")), (0, Ok(b"small".to_vec())));
    }
}

#[test]
fn a_call_from_a_callback_is_told_and_does_nothing() {
    let mut machine = Machine::new(40 << 10, 0);
    assert_eq!((machine.format(), machine.unmount()), (DFS_OK, DFS_OK));
    let (pool, disk) = (machine.pool(), machine.contents[0]);
    // SAFETY: nothing uses the disk between two calls.
    unsafe { (*disk).again = pool };
    // While it is mounted there is no pool yet.
    assert_eq!(machine.mount(), DFS_OK);
    // SAFETY: as above.
    assert_eq!(unsafe { (*disk).said }, DFS_ERR_NOT_MOUNTED);
    assert_eq!(machine.put(c"log", b"text"), 0);
    // SAFETY: as above.
    assert_eq!(unsafe { (*disk).said }, DFS_ERR_REENTERED);
    assert_eq!(machine.get(c"log"), Ok(b"text".to_vec()));
}

#[test]
fn a_disk_that_is_gone_is_told_by_health() {
    let mut machine = Machine::new(40 << 10, 0);
    assert_eq!((machine.format(), machine.put(c"log", b"on two")), (DFS_OK, 0));
    // SAFETY: nothing uses the disk between two calls.
    unsafe { (*machine.contents[1]).answer = DFS_IO_GONE };
    // The transaction that meets it may fail; the next one goes on without the disk.
    let first = machine.put(c"log", b"on one");
    assert!(first == 0 || machine.put(c"log", b"on one") == 0, "{first}");
    let health = machine.health();
    assert_eq!((health.members, health.online, health.writable, health.in_transaction), (2, 1, 1, 0));
    assert_eq!(machine.get(c"log"), Ok(b"on one".to_vec()));
}

/// A file that a transaction made, and that nobody used for a long time, is not taken for another one.
#[test]
fn what_came_of_transactions_long_ago_is_not_guessed() {
    let mut machine = Machine::new(40 << 10, 0);
    assert_eq!(machine.format(), DFS_OK);
    let (pool, mut file, mut used) = (machine.pool(), zeroed_file(), zeroed_file());
    let (file, used) = (&raw mut file, &raw mut used);
    let mut byte = 0u8;
    // SAFETY: the pool, the files and the byte are there.
    unsafe {
        assert_eq!(dfs_begin(pool), DFS_OK);
        for (file, path) in [(file, c"left"), (used, c"used")] {
            assert_eq!(dfs_create(pool, file, path.as_ptr(), DFS_OPEN_READ | DFS_OPEN_WRITE), DFS_OK);
        }
        assert_eq!(dfs_commit(pool), DFS_OK);
        for number in 1..=64 {
            assert_eq!(dfs_read(pool, used, (&raw mut byte).cast(), 1), 0, "{number}");
            assert_eq!((dfs_begin(pool), dfs_abort(pool)), (DFS_OK, DFS_OK));
        }
        assert_eq!(dfs_read(pool, used, (&raw mut byte).cast(), 1), 0);
        assert_eq!(dfs_read(pool, file, (&raw mut byte).cast(), 1), DFS_ERR_STALE);
        assert_eq!(dfs_close(pool, file), DFS_ERR_STALE);
    }
}

#[test]
fn a_pool_is_asked_for_by_its_identity() {
    let mut machine = Machine::new(40 << 10, 0);
    assert_eq!(machine.format(), DFS_OK);
    let (right, wrong) = (machine.health().pool_identity, [0xFF; 16]);
    assert_eq!(machine.unmount(), DFS_OK);
    for (identity, expected) in
        [(null(), DFS_OK), (right.as_ptr(), DFS_OK), (wrong.as_ptr(), DFS_ERR_NO_POOL)]
    {
        machine.config.pool_identity = identity;
        let mut needs = dfs_memory_needs {
            struct_bytes: size_of::<dfs_memory_needs>() as u32,
            cache_nodes: 0,
            bytes: 0,
            bytes_to_read: 0,
        };
        // SAFETY: the configuration is there, and no pool is mounted.
        assert_eq!(unsafe { dfs_memory_to_mount(machine.config(), &raw mut needs) }, expected);
        assert_eq!(machine.mount(), expected);
        assert_eq!(machine.unmount(), if expected == DFS_OK { DFS_OK } else { DFS_ERR_NOT_MOUNTED });
    }
}
