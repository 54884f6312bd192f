//! Mounts an image, reads all of it, changes it, mounts it again.

use crate::array::{Array, NoClock, SECTOR, crc32c};
use arbitrary::Arbitrary;
use dynamicfs_core::error::Error;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::maintain::{CheckReport, JobKind, JobOptions, JobState, Trim, TrimOptions, Work};
use dynamicfs_core::object::{AttributeMode, Attributes, Change, MakeRequest, RenameMode};
use dynamicfs_core::types::{DiskIndex, MemberNumber, ObjectId, Scheme, Set};
use dynamicfs_core::{
    CacheEntry, DiskState, Memory, MountMode, MountOptions, Pool, ReadObjects, Services, Transaction,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// How the image is used.
#[derive(Arbitrary, Clone, Debug)]
pub struct Plan {
    /// Which base, how much memory, and how the second mount is made.
    pub base: u8,
    /// Memory that is lent: little, more, much.
    pub memory: u8,
    /// Declares absent members dead.
    pub assume_dead: bool,
    /// What is done to the pool.
    pub steps: Vec<Step>,
}

/// Something that is done to a pool. Objects are numbers modulo those that there are.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    Create { directory: u8, name: u8, kind: u8, long: u16 },
    Link { object: u8, directory: u8, name: u8 },
    Unlink { directory: u8, name: u8 },
    Rename { from: u8, name: u8, to: u8, to_name: u8, mode: u8 },
    Write { object: u8, offset: u64, length: u16 },
    Truncate { object: u8, size: u64 },
    SetAttribute { object: u8, name: u8, length: u16, mode: u8 },
    RemoveAttribute { object: u8, name: u8 },
    ChangeAttributes { object: u8, data: u8, parity: u8 },
    Read { object: u8, offset: u64, length: u16 },
    SaveCounters,
    Commit,
    Abort,
    Maintain { sweep: bool },
    Remount,
}

/// Objects that a walk visits.
const OBJECTS_MAX: usize = 120;

/// Steps of one plan.
const STEPS_MAX: usize = 24;

struct Lent {
    bytes: Vec<u8>,
    entries: Vec<CacheEntry>,
    states: Vec<DiskState>,
}

impl Lent {
    fn new(memory: u8, disks: usize) -> Self {
        let (bytes, entries) = [(28 << 10, 24), (64 << 10, 64), (512 << 10, 600)][usize::from(memory % 3)];
        Self {
            bytes: vec![0; bytes],
            entries: vec![CacheEntry::NEW; entries],
            states: vec![DiskState::NEW; disks],
        }
    }

    fn memory(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, entries: &mut self.entries, disks: &mut self.states }
    }
}

const SERVICES: Services<'static> = Services::new(crc32c, &NoClock);

/// Does all of it.
pub fn exercise(disks: Vec<Vec<u8>>, plan: &Plan) {
    let mut lent = Lent::new(plan.memory, disks.len());
    // Each mount takes a copy of the disks: one that fails does not give the array back.
    let mut array = Array::new(disks);
    let options = MountOptions::new().mode(MountMode::ReadOnly);
    if let Ok(mut pool) = Pool::mount(&mut array, lent.memory(), SERVICES, &options) {
        look_at(&mut pool, [31, 64, 4096][usize::from(plan.memory % 3)]);
        let _ = pool.begin().map(drop);
    }
    rest(&mut Array::new(array.disks.clone()), &mut lent);
    let mode =
        if plan.assume_dead { MountMode::AssumeMissingDead { branch: 77 } } else { MountMode::ReadWrite };
    let options = MountOptions::new().mode(mode);
    let mut steps = plan.steps.iter().take(STEPS_MAX);
    loop {
        match Pool::mount(&mut array, lent.memory(), SERVICES, &options) {
            Ok(mut pool) => {
                if !change(&mut pool, &mut steps) {
                    break;
                }
            }
            Err(_) => return,
        }
    }
    if let Ok(mut pool) = Pool::mount(&mut array, lent.memory(), SERVICES, &options) {
        look_at(&mut pool, [31, 64, 4096][usize::from(plan.memory % 3)]);
    }
    array.requests = 0;
    rest(&mut array, &mut lent);
}

/// Upkeep of an idle pool ends, or fails with a typed error, whatever the disks say. With a scrub under way
/// it takes no more steps than the disks have sectors.
fn rest(array: &mut Array, lent: &mut Lent) {
    let sectors = array.disks.iter().map(|disk| disk.len() as u64 / SECTOR).sum::<u64>();
    let Ok(mut pool) = Pool::mount(array, lent.memory(), SERVICES, &MountOptions::default()) else { return };
    let _ = pool.start_job(JobKind::Scrub, JobOptions::default());
    for _ in 0..sectors {
        match pool.maintain(true) {
            Ok(Work::Nothing) | Err(_) => return,
            Ok(_) => {}
        }
    }
    panic!("upkeep does not come to rest");
}

/// Does steps until there is none left (false) or the pool is to be mounted again (true).
fn change<'s>(pool: &mut Pool<'_, &mut Array>, steps: &mut impl Iterator<Item = &'s Step>) -> bool {
    let objects = reachable(pool);
    loop {
        let Ok(mut transaction) = pool.begin() else { return false };
        let mut end = None;
        for step in steps.by_ref() {
            match step {
                Step::Commit | Step::Abort | Step::Maintain { .. } | Step::Remount => {
                    end = Some(step);
                    break;
                }
                step => {
                    let _ = apply(&mut transaction, &objects, step);
                }
            }
        }
        match end {
            Some(Step::Abort) => drop(transaction),
            _ => {
                let _ = transaction.commit();
            }
        }
        match end {
            Some(Step::Maintain { sweep }) => {
                let _ = pool.maintain(*sweep);
            }
            Some(Step::Remount) => return true,
            Some(_) => {}
            None => {
                for _ in 0..4 {
                    let _ = pool.maintain(true);
                }
                for part in usual().chunks(12) {
                    let Ok(mut transaction) = pool.begin() else { return false };
                    for step in part {
                        let _ = apply(&mut transaction, &objects, step);
                    }
                    let _ = transaction.commit();
                    let _ = pool.maintain(true);
                }
                operate(pool);
                return false;
            }
        }
    }
}

/// What an operator does, whatever the member records say.
fn operate(pool: &mut Pool<'_, &mut Array>) {
    let work = |pool: &mut Pool<'_, &mut Array>| {
        for _ in 0..10 {
            let _ = pool.maintain(true);
        }
    };
    for kind in [JobKind::Recount, JobKind::Scrub, JobKind::Rebalance] {
        let _ = pool.start_job(kind, JobOptions::default());
        work(pool);
    }
    let _ = pool.drain_member(MemberNumber(1), true);
    work(pool);
    let _ = pool.activate_member(MemberNumber(1));
    let _ = pool.shut_member(MemberNumber(0), true);
    let _ = pool.start_job(JobKind::Rebuild, JobOptions::WITHOUT_ABSENT);
    work(pool);
    let _ = pool.remove_member(MemberNumber(0), true);
    work(pool);
    trim(pool, false);
    for kind in JobKind::ALL {
        let _ = pool.lost_items(kind, |_| {});
        let _ = pool.set_job_state(kind, JobState::Cancelled);
    }
}

/// What is done at the end in any case: something with most objects and most names.
fn usual() -> Vec<Step> {
    let mut steps = Vec::new();
    for object in 0..8 {
        steps.push(Step::Write { object, offset: 90 * u64::from(object), length: 40 });
        steps.push(Step::SetAttribute { object, name: object, length: 20, mode: 0 });
        steps.push(Step::Truncate { object, size: 10_000 * u64::from(object % 3) });
        steps.push(Step::Write { object, offset: 4000, length: 5000 });
    }
    for name in 0..18 {
        steps.push(Step::Unlink { directory: name % 3, name });
        steps.push(Step::Rename { from: 0, name, to: name % 4, to_name: name + 5, mode: name % 3 });
        steps.push(Step::Create { directory: name % 2, name, kind: name, long: 300 });
    }
    for name in 0..18 {
        steps.push(Step::Unlink { directory: 0, name });
        steps.push(Step::Unlink { directory: 1, name });
    }
    steps
}

fn name(n: u8) -> Vec<u8> {
    match n % 24 {
        n @ 0..12 => vec![b'a' + n],
        12 => b"sub".to_vec(),
        13 => b"big".to_vec(),
        14 => b"again".to_vec(),
        15 => vec![b'n'; 255],
        16 => b"pipe".to_vec(),
        17 => b"while away".to_vec(),
        n => vec![n + b'A'; usize::from(n) * 4],
    }
}

fn apply(
    t: &mut Transaction<'_, '_, &mut Array>,
    objects: &[ObjectId],
    step: &Step,
) -> Result<(), dynamicfs_core::error::Error> {
    let at = |n: u8| objects.get(usize::from(n) % objects.len().max(1)).copied().unwrap_or(ObjectId::ROOT);
    match *step {
        Step::Create { directory, name: n, kind, long } => {
            let target = vec![b't'; usize::from(long % 5000)];
            let what = match kind % 4 {
                0 => MakeRequest::File,
                1 => MakeRequest::Directory,
                2 => MakeRequest::Symlink(&target),
                _ => MakeRequest::Special(ObjectKind::Fifo),
            };
            t.create(at(directory), &name(n), &what, &Attributes::default()).map(drop)
        }
        Step::Link { object, directory, name: n } => t.link(at(object), at(directory), &name(n)),
        Step::Unlink { directory, name: n } => t.unlink(at(directory), &name(n)),
        Step::Rename { from, name: n, to, to_name, mode } => {
            let mode =
                [RenameMode::Replace, RenameMode::NoReplace, RenameMode::Exchange][usize::from(mode % 3)];
            t.rename((at(from), &name(n)), (at(to), &name(to_name)), mode)
        }
        Step::Write { object, offset, length } => {
            // Most offsets are near the beginning.
            let offset = if offset >> 62 == 3 { offset } else { offset % 70_000 };
            t.write_all(at(object), offset, &vec![0x5A; usize::from(length % 20_000)])
        }
        Step::Truncate { object, size } => {
            let size = if size >> 62 == 3 { size >> 15 } else { size % 70_000 };
            t.truncate(at(object), size)
        }
        Step::SetAttribute { object, name: n, length, mode } => {
            let value = vec![b'v'; usize::from(length % 4200)];
            let mode = [AttributeMode::CreateOrReplace, AttributeMode::Create, AttributeMode::Replace]
                [usize::from(mode % 3)];
            t.set_attribute(at(object), &name(n), &value, mode)
        }
        Step::RemoveAttribute { object, name: n } => t.remove_attribute(at(object), &name(n)),
        Step::ChangeAttributes { object, data, parity } => {
            let change = Change::new().scheme(Scheme { data, parity }).tier(data);
            t.change_attributes(at(object), &change).map(drop)
        }
        Step::Read { object, offset, length } => {
            t.read(at(object), offset, &mut vec![0; usize::from(length)]).map(drop)
        }
        Step::SaveCounters => t.save_counters(),
        Step::Commit | Step::Abort | Step::Maintain { .. } | Step::Remount => Ok(()),
    }
}

/// Objects that the directories name, the root first, and some that nothing may name.
fn reachable(objects: &mut impl ReadObjects) -> Vec<ObjectId> {
    let mut found = vec![ObjectId::ROOT];
    let mut known = BTreeSet::from([ObjectId::ROOT]);
    let mut next = 0;
    while next < found.len() && found.len() < OBJECTS_MAX {
        let mut entries = 0;
        let _ = objects.list(found[next], 0, |entry| {
            if known.insert(entry.object) {
                found.push(entry.object);
            }
            entries += 1;
            if entries < OBJECTS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        next += 1;
    }
    for extra in [0, 2, 16, 17, 30, 31, 32, 33, u64::MAX] {
        if known.insert(ObjectId(extra)) {
            found.push(ObjectId(extra));
        }
    }
    found
}

/// Reads everything there is. Errors are as good as answers.
fn look_at(pool: &mut Pool<'_, &mut Array>, scratch: usize) {
    let _ = pool.health();
    for disk in 0..pool.internals().store.tree.disks.count() {
        let _ = pool.member_health(DiskIndex(disk));
    }
    let mut buf = vec![0; 9000];
    for object in reachable(pool) {
        let size = pool.inode(object).map_or(0, |inode| inode.size);
        for offset in [0, 1, size / 2, size.saturating_sub(700), u64::MAX - 5] {
            let _ = pool.read(object, offset, &mut buf);
        }
        let mut names = Vec::new();
        let _ = pool.attributes(object, |name| {
            names.push(name.to_vec());
            if names.len() < 50 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        for name in names {
            let _ = pool.attribute(object, &name, &mut buf);
        }
        let _ = pool.lookup(object, b"a");
        let _ = prove(pool, object);
    }
    let _ = pool.resolve(b"sub/a");
    let _ = pool.resolve_parent(b"sub/a/b/c");
    let _ = pool.count_extents();
    for lost in [0b1, 0b110] {
        let _ = pool.forecast_loss(Set::of_bits(lost));
        let _ = pool.forecast_rebuild(Set::of_bits(lost));
        let _ = pool.forecast_drain(Set::of_bits(lost));
    }
    let _ = pool.each_inode(|_, _| ());
    for member in [0, 1, 2, 65535] {
        let _ = pool.saved_counters(MemberNumber(member));
    }
    let _ = pool.internals_mut().store.each_member(|_, record| {
        let _ = record.untrusted().count();
    });
    let mut report = CheckReport::default();
    let _ = pool.check_contents(&mut report, |_| {});
    let _ = pool.check_space(&mut vec![0; scratch], &mut report, |_| {});
    trim(pool, true);
}

/// Reads and proves the extents of an object, wherever they are said to be.
fn prove(pool: &mut Pool<'_, &mut Array>, object: ObjectId) -> Result<(), Error> {
    let standing = pool.standing(false)?;
    let mut from = 0;
    while let Some(located) = pool.locate(object, from, &standing)? {
        let _ = located.spare();
        let _ = pool.prove(object, located.start);
        from = located.end();
    }
    Ok(())
}

/// Gives free space back, or counts it.
fn trim(pool: &mut Pool<'_, &mut Array>, only_count: bool) {
    for member in [0, 1, 2, 65535] {
        let mut trim =
            Trim::new(MemberNumber(member), TrimOptions::new().minimum_bytes(0).only_count(only_count));
        while let Ok(true) = pool.trim_step(&mut trim) {}
    }
}
