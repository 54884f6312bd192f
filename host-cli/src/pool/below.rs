//! What the pool's images are stored in: filesystems of this machine, which may be full though the pool is
//! not.
//!
//! Images are sparse. What the pool calls free takes no space of the filesystem before it is written to. The
//! two can disagree: the filesystem holds other things too, or was too small from the beginning.

use super::place::Place;
use super::reasons::{Reason, ReasonCode};
use super::session::Session;
use crate::host::interrupt;
use crate::host::machine::Lack;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::output::size;
use dynamicfs_core::health::DiskStatus;
use dynamicfs_core::maintenance::{Trim, TrimOptions, Work};
use dynamicfs_core::types::{DiskIndex, MemberNumber};
use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, statvfs};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// So little is left that hardly anything can be written.
const FULL_BYTES: u64 = 2 << 20;

/// Little is left: less than this, or than this share of the filesystem.
const LOW_BYTES: u64 = 64 << 20;
const LOW_SHARE: u64 = 20;

/// Bytes that are held in the filesystem for each image, as much as a commit of a few names takes. They are
/// let go where deleting finds no room. A small image holds a smaller share of its size.
const HELD_BYTES: u64 = 256 << 10;
const HELD_SHARE: u64 = 64;

/// A filesystem that images of the pool are in.
#[derive(Debug)]
struct Filesystem {
    /// The folder of the first of them.
    folder: PathBuf,
    /// What they are called.
    disks: Vec<String>,
    /// Bytes that are left for this user.
    left: u64,
    /// Bytes in all.
    size: u64,
    /// Bytes that the images may still take when they are written to.
    wanted: u64,
}

/// The filesystems that images of these names and paths are in, as far as the system tells.
fn filesystems<'p>(images: impl Iterator<Item = (&'p str, &'p Path)>) -> Vec<Filesystem> {
    let mut found: BTreeMap<u64, Filesystem> = BTreeMap::new();
    for (name, path) in images {
        let Ok(metadata) = fs::metadata(path) else { continue };
        if !metadata.is_file() {
            continue;
        }
        let Ok(stat) = statvfs(path) else { continue };
        let filesystem = found.entry(metadata.dev()).or_insert_with(|| Filesystem {
            folder: path.parent().map(ToOwned::to_owned).unwrap_or_default(),
            disks: Vec::new(),
            left: stat.f_bavail.saturating_mul(stat.f_frsize),
            size: stat.f_blocks.saturating_mul(stat.f_frsize),
            wanted: 0,
        });
        filesystem.disks.push(name.to_owned());
        filesystem.wanted += metadata.len().saturating_sub(metadata.blocks() * 512);
    }
    found.into_values().collect()
}

fn images(places: &[Place]) -> impl Iterator<Item = (&str, &Path)> {
    places.iter().map(|place| (place.entry.name.as_str(), place.path.as_path()))
}

impl Filesystem {
    /// Why the pool is not as well as it looks, if it is not.
    fn reason(&self) -> Option<Reason> {
        let is_low = self.left < LOW_BYTES.max(self.size / LOW_SHARE);
        if self.left >= self.wanted || !is_low {
            return None;
        }
        let code = if self.left < FULL_BYTES { ReasonCode::HostFull } else { ReasonCode::HostNearlyFull };
        let [left, wanted] = [self.left, self.wanted].map(|bytes| size::show(bytes, false));
        let message = format!(
            "{left} are left in the filesystem of {}, and {} may need {wanted}",
            self.folder.shown(),
            self.disks.join(", ")
        );
        let object = Some(self.folder.shown().to_string());
        Some(Reason { object, ..Reason::new(code, None, self.left, message) })
    }
}

/// What the filesystems that images are in say about the pool.
pub(super) fn reasons(session: &Session<'_>) -> Vec<Reason> {
    let mut reasons: Vec<_> =
        filesystems(images(&session.places)).iter().filter_map(Filesystem::reason).collect();
    if !reasons.is_empty() && to_give_back(session) < FULL_BYTES {
        reasons.iter_mut().for_each(|reason| reason.next = "dynamicfs rm PATH".into());
    }
    reasons
}

/// Bytes, at least, that the images take and the pool does not need.
fn to_give_back(session: &Session<'_>) -> u64 {
    let health = session.pool.health();
    let block = u64::from(health.block_bytes);
    let free = |(index, place): (usize, &Place)| {
        let image = fs::metadata(&place.path).ok().filter(|image| image.is_file())?;
        let member = session.pool.member_health(DiskIndex(index));
        let needed = image.len().saturating_sub(member.free_blocks * block) + held_bytes(image.len());
        Some((image.blocks() * 512).saturating_sub(needed))
    };
    let free: u64 = session.places.iter().enumerate().filter_map(free).sum();
    free + health.dead_blocks * block
}

/// Bytes that are held for an image of this length.
const fn held_bytes(length: u64) -> u64 {
    let share = length / HELD_SHARE;
    if share < HELD_BYTES { share } else { HELD_BYTES }
}

/// Holds some room for each image, behind its end, where nothing reads it. Deleting takes some too, and must
/// not be refused because the filesystem is full. Where it cannot be held, deleting does without.
pub(super) fn hold(places: &[Place]) {
    at_end_of_each(places, |image, end, held| {
        let _ = fallocate(image, FallocateFlags::KEEP_SIZE, end, held);
    });
}

/// Lets go of what was held. On some filesystems a hole behind the end of a file frees nothing. They give it
/// back where the file is cut at its end.
fn let_go(places: &[Place]) {
    at_end_of_each(places, |image, end, held| {
        let blocks = || image.metadata().map(|metadata| (metadata.blocks(), metadata.len())).ok();
        let before = blocks();
        let _ = fallocate(image, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, end, held);
        if before == blocks() {
            let _ = image.set_len(end);
        }
    });
}

/// Does something at the end of each image: to the file, with its length and the bytes that are held.
fn at_end_of_each(places: &[Place], f: impl Fn(&File, u64, u64)) {
    for place in places {
        let Ok(metadata) = fs::metadata(&place.path) else { continue };
        if !metadata.is_file() {
            continue;
        }
        let held = held_bytes(metadata.len());
        if let Ok(image) = File::options().write(true).open(&place.path)
            && held > 0
        {
            f(&image, metadata.len(), held);
        }
    }
}

/// Makes all the room that is to be had without taking any. That is what is held, what is free in the pool,
/// and what a sweep frees.
pub(crate) fn make_room(session: &mut Session<'_>) {
    let_go(&session.places);
    give_back(session);
    // It ends where nothing is left that is worth it, or finds no room itself.
    while !interrupt::requested() && session.pool.upkeep(true).is_ok_and(|work| work != Work::Nothing) {}
    give_back(session);
}

/// Gives what is free in the pool back to what its disks are stored in, among it what a transaction wrote
/// that found no room. What was removed and not made free yet would take a commit, which may find no room
/// either.
fn give_back(session: &mut Session<'_>) {
    let member = |place: usize| -> Option<MemberNumber> {
        let health = session.pool.member_health(DiskIndex(place));
        health.member.filter(|_| health.status == DiskStatus::Online)
    };
    let members: Vec<_> = (0..session.places.len()).filter_map(member).collect();
    for member in members {
        let mut trim = Trim::new(member, TrimOptions::default());
        // Where this fails nothing is lost by it: there is as little room as before.
        while session.pool.trim_step(&mut trim).unwrap_or(false) {}
    }
}

/// Where a command found no room: gives back what it had written, and says which filesystem is full and what
/// helps.
pub(super) fn explain(session: &mut Session<'_>, failure: Failure) -> Failure {
    if failure.code() == Code::HostLimit {
        return read_only(&session.places).unwrap_or(failure);
    }
    if failure.code() != Code::NoSpaceBelow {
        return failure;
    }
    give_back(session);
    let least = filesystems(images(&session.places)).into_iter().min_by_key(|filesystem| filesystem.left);
    let Some(Filesystem { folder, left, .. }) = least else { return failure };
    let (folder, left) = (folder.shown(), size::show(left, false));
    let message = format!("{}; {left} are left in the filesystem of {folder}", failure.message());
    Failure::new(Code::NoSpaceBelow, message).hint(format!(
        "make room in the filesystem of {folder}; or remove what is not needed with `dynamicfs rm PATH`, then `dynamicfs trim` gives its space back"
    ))
}

/// Where the system refused because the filesystem of images has become read-only: which.
fn read_only(places: &[Place]) -> Option<Failure> {
    let found = places.iter().find(|place| {
        statvfs(&place.path).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
    })?;
    let message =
        format!("the filesystem of {found} is read-only now, and nothing can be written to the pool");
    Some(Failure::new(Code::HostReadOnly, message).hint(Lack::ReadOnly.cure()))
}

/// Which filesystems have less room than the images in them may come to need, told when these are made.
pub(crate) fn overcommitted<'p>(images: impl Iterator<Item = (&'p str, &'p Path)>) -> Vec<String> {
    let too_small = filesystems(images).into_iter().filter(|filesystem| filesystem.left < filesystem.wanted);
    let tell = |filesystem: Filesystem| {
        let [left, wanted] = [filesystem.left, filesystem.wanted].map(|bytes| size::show(bytes, false));
        format!(
            "{} may come to need {wanted}, and {left} are free in the filesystem of {}: the pool is full before it says so",
            filesystem.disks.join(", "),
            filesystem.folder.shown()
        )
    };
    too_small.map(tell).collect()
}
