//! Which golden pools there are, and their lives: made, filled, mounted again, changed, hurt and healed.

use super::container::Disks;
use super::machine::{Array, Machine};
use super::manifest;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::Transaction;
use dynamicfs_core::error::Error;
use dynamicfs_core::format::extent::{EXTENT_BYTES_MAX, Extent};
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::format::key::Key;
use dynamicfs_core::format::record::OrphanRecord;
use dynamicfs_core::metrics::DiskCounters;
use dynamicfs_core::object::{AttributeMode, Attributes, Change, MakeRequest, RenameMode};
use dynamicfs_core::types::{MemberNumber, ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountMode, Pool};
use dynamicfs_hal::{DiskArray, UnixTime};

/// A golden pool.
#[derive(Clone, Copy, Debug)]
pub struct GoldenPool {
    /// Its name, which its files have too.
    pub name: &'static str,
    /// How it is made.
    pub options: FormatOptions,
    /// Its disks, and what they are like.
    pub disks: usize,
    /// Bytes of each disk.
    pub disk_bytes: usize,
    /// Bytes of a sector.
    pub sector_bytes: u32,
    /// Bytes of memory that are lent.
    pub memory: usize,
    /// What becomes of it after it was filled.
    pub fate: Fate,
}

/// What makes a golden pool different from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// One disk misses a commit and comes back; then a sweep.
    Absence,
    /// A fragment rots and is healed.
    Healing,
    /// A long object is being deleted.
    Orphan,
}

/// All golden pools.
pub const ALL: [GoldenPool; 3] = [
    GoldenPool {
        name: "mirror-2",
        options: FormatOptions::portable(Scheme::mirror(2)),
        disks: 3,
        disk_bytes: 256 << 10,
        sector_bytes: 512,
        memory: 48 << 10,
        fate: Fate::Absence,
    },
    GoldenPool {
        name: "parity-2-1",
        options: FormatOptions::portable(Scheme { data: 2, parity: 1 }).extent_bytes(8192).block_bytes(1024),
        disks: 3,
        disk_bytes: 512 << 10,
        sector_bytes: 512,
        memory: 200 << 10,
        fate: Fate::Healing,
    },
    GoldenPool {
        name: "single-4k",
        options: FormatOptions::server(Scheme::SINGLE).extent_bytes(8192).members_max(8).ring_length(4),
        disks: 1,
        disk_bytes: 4 << 20,
        sector_bytes: 4096,
        memory: 1 << 20,
        fate: Fate::Orphan,
    },
];

/// Makes a golden pool: the same bytes each time.
///
/// # Panics
/// When the code cannot do what it takes.
pub fn make(pool: &GoldenPool) -> Disks {
    match pool.disks {
        1 => live::<1>(pool),
        3 => live::<3>(pool),
        disks => panic!("no golden pool has {disks} disks"),
    }
}

/// Mounts a golden pool for reading and reads what is in it.
///
/// # Panics
/// When it does not mount or cannot be read.
pub fn read(pool: &GoldenPool, disks: Disks, mode: MountMode) -> String {
    match pool.disks {
        1 => read_on::<1>(pool, disks, mode),
        _ => read_on::<3>(pool, disks, mode),
    }
}

fn read_on<const N: usize>(pool: &GoldenPool, disks: Disks, mode: MountMode) -> String {
    let mut machine = Machine::<N>::with_disks(disks, pool.sector_bytes, pool.memory);
    machine.mount(mode, None, |pool| manifest::read(pool).expect("the pool can be read").to_string())
}

fn live<const N: usize>(golden: &GoldenPool) -> Disks {
    let mut machine = Machine::<N>::new(golden.disk_bytes, golden.sector_bytes, golden.memory);
    let extent = golden.options.extent_bytes as usize;
    machine.format(&golden.options, |pool| {
        commit(pool, |objects| make_small(objects).and_then(|()| make_large(objects, extent)));
    });
    machine.mount(MountMode::ReadWrite, None, |pool| commit(pool, |objects| change(objects, extent)));
    match golden.fate {
        Fate::Absence => miss_a_commit(&mut machine),
        Fate::Healing => rot_and_heal(&mut machine, golden),
        Fate::Orphan => machine.mount(MountMode::ReadWrite, None, delete_something_long),
    }
    machine.into_disks()
}

fn commit<A: DiskArray, T>(
    pool: &mut Pool<'_, A>,
    f: impl FnOnce(&mut Transaction<'_, '_, A>) -> Result<T, Error>,
) -> T {
    let mut transaction = pool.begin().expect("a transaction begins");
    let done = f(&mut transaction).expect("the golden pool has room");
    transaction.commit().expect("a commit");
    done
}

// --- what is in it --------------------------------------------------------------------------------------------

/// Bytes that look like no others.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let word = |i: u64| dynamicfs_core::disks::mix(seed << 32 | i).to_le_bytes();
    (0..length.div_ceil(8) as u64).flat_map(word).take(length).collect()
}

const PLAIN: Attributes = Attributes::new().mode(0o640).uid(1000).gid(100);

fn file<A: DiskArray>(
    objects: &mut Transaction<'_, '_, A>,
    directory: ObjectId,
    name: &[u8],
    contents: &[u8],
) -> Result<ObjectId, Error> {
    let object = objects.create(directory, name, &MakeRequest::File, &PLAIN)?;
    objects.write_all(object, 0, contents)?;
    Ok(object)
}

/// Everything that stays in the tree.
fn make_small<A: DiskArray>(objects: &mut Transaction<'_, '_, A>) -> Result<(), Error> {
    let root = ObjectId::ROOT;
    let inline = file(objects, root, b"inline", b"small enough to stay in the tree\n")?;
    file(objects, root, b"empty", b"")?;
    let directory = objects.create(root, b"directory", &MakeRequest::Directory, &PLAIN.mode(0o750))?;
    objects.link(inline, directory, b"hard link")?;
    objects.create(directory, b"soft link", &MakeRequest::Symlink(b"../inline"), &PLAIN)?;
    objects.create(directory, b"long link", &MakeRequest::Symlink(&[b'x'; 200]), &PLAIN)?;
    objects.create(directory, &[b'n'; 255], &MakeRequest::Directory, &PLAIN)?;
    let bytes = file(objects, directory, b"bytes \xFF\x01\\", b"a name is bytes")?;
    objects.set_attribute(bytes, b"user.short", b"value", AttributeMode::Create)?;
    objects.set_attribute(bytes, b"user.long", &pattern(1, 250), AttributeMode::Create)?;
    objects.set_attribute(directory, b"user.empty", b"", AttributeMode::Create)?;
    let device = PLAIN.device(0x0103);
    objects.create(directory, b"device", &MakeRequest::Special(ObjectKind::CharacterDevice), &device)?;
    objects.create(directory, b"fifo", &MakeRequest::Special(ObjectKind::Fifo), &PLAIN)?;
    let before_1970 = UnixTime { seconds: -86_400, nanoseconds: 999_999_999 };
    let change = Change::new().accessed(before_1970).modified(before_1970);
    objects.change_attributes(inline, &change)?;
    Ok(())
}

/// What has extents.
fn make_large<A: DiskArray>(objects: &mut Transaction<'_, '_, A>, extent: usize) -> Result<(), Error> {
    file(objects, ObjectId::ROOT, b"extents", &pattern(2, extent + 777))?;
    file(objects, ObjectId::ROOT, b"victim", &pattern(3, 1500))?;
    let sparse = file(objects, ObjectId::ROOT, b"sparse", b"begin")?;
    objects.write_all(sparse, 5 * extent as u64 + 100, &pattern(4, 600))?;
    objects.truncate(sparse, 1 << 20)
}

/// What a later mount changes.
fn change<A: DiskArray>(objects: &mut Transaction<'_, '_, A>, extent: usize) -> Result<(), Error> {
    let directory = objects.resolve(b"directory")?;
    let extents = objects.resolve(b"extents")?;
    objects.write_all(extents, extent as u64 + 50, &pattern(5, 100))?;
    objects.unlink(ObjectId::ROOT, b"victim")?;
    objects.rename((ObjectId::ROOT, b"sparse"), (directory, b"sparse, moved"), RenameMode::NoReplace)?;
    put_counters(objects)
}

/// Counters as a record: what the code really counts depends on how much it reads.
fn put_counters<A: DiskArray>(objects: &mut Transaction<'_, '_, A>) -> Result<(), Error> {
    let counters = DiskCounters { reads: 11, write_bytes: 4096, repairs: 1, ..DiskCounters::default() };
    objects.put_counters(MemberNumber(0), &counters)
}

// --- fates ----------------------------------------------------------------------------------------------------

/// The last disk misses a commit and is there for the next one; then dead blocks are swept.
fn miss_a_commit<const N: usize>(machine: &mut Machine<N>) {
    machine.mount(MountMode::ReadWrite, Some(N - 1), |pool| {
        commit(pool, |objects| file(objects, ObjectId::ROOT, b"degraded", &pattern(6, 1000)));
    });
    machine.mount(MountMode::ReadWrite, None, |pool| {
        commit(pool, |objects| file(objects, ObjectId::ROOT, b"whole again", b"yes"));
        commit(pool, |objects| Ok(objects.internals_mut().store.sweep_step().expect("swept")));
    });
}

/// The first data fragment of a file rots; a read finds it, and it is written anew.
fn rot_and_heal<const N: usize>(machine: &mut Machine<N>, golden: &GoldenPool) {
    let rotten = machine.mount(MountMode::ReadOnly, None, |pool| first_fragment(pool, b"extents"));
    let at = rotten.block as usize * golden.options.block_bytes as usize;
    machine.disk(usize::from(rotten.member.0))[at + 5] ^= 1;
    machine.mount(MountMode::ReadWrite, None, |pool| {
        let object = pool.resolve(b"extents").expect("the file is there");
        let read = pool.read(object, 0, &mut [0; 4096]).expect("it is reconstructed");
        assert_eq!(read, 4096);
        pool.maintain(false).expect("it is healed");
    });
}

fn first_fragment<const N: usize>(
    pool: &mut Pool<'_, Array<'_, N>>,
    path: &[u8],
) -> dynamicfs_core::types::BlockAddress {
    let object = pool.resolve(path).expect("the file is there");
    let mut head = [0; EXTENT_BYTES_MAX];
    let bytes = pool
        .internals_mut()
        .store
        .tree
        .get(&Key::extent(object, 0), &mut head)
        .expect("a record")
        .expect("an extent");
    let extent = Extent::decode(&head[..bytes.min(head.len())]).expect("an extent's record");
    extent.fragments()[0].address
}

/// More extents than are freed at once, each of one zero.
fn delete_something_long<const N: usize>(pool: &mut Pool<'_, Array<'_, N>>) {
    commit(pool, |objects| {
        let long = objects.create(ObjectId::ROOT, b"long", &MakeRequest::File, &PLAIN)?;
        let shift = objects.inode(long)?.extent_shift;
        (0..140).try_for_each(|n| objects.write_all(long, n << shift, &[0]))?;
        // Zeros, which the container leaves out, fill whole groups.
        let large = PLAIN.extent_shift(17);
        let zeros = objects.create(ObjectId::ROOT, b"zeros", &MakeRequest::File, &large)?;
        objects.write_all(zeros, 0, &vec![0; 10 << 17])
    });
    commit(pool, |objects| {
        let long = objects.resolve(b"long")?;
        let mut inode = objects.inode(long)?;
        inode.links = 0;
        objects.unlink(ObjectId::ROOT, b"long")?;
        // Today's code frees that at once. What one does that frees less at a time leaves this, just before
        // the end.
        let mut record = [0; OrphanRecord::<&[u8]>::BYTES];
        OrphanRecord::new(&mut record[..]).expect("a record").set_whole(1);
        let store = &mut objects.internals_mut().store;
        store.put(&Key::orphan(long), &record).expect("put");
        store.put(&Key::inode(long), &inode.encode()).expect("put");
        store.tree.space.superblock.set_orphans(1);
        Ok(())
    });
}
