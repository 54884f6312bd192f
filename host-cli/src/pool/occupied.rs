//! Whether a disk is free to be used: what else is on it, and what else has it.

use super::config::{self, Config};
use super::journal;
use super::labels::{self, Labels};
use crate::host::activity;
use crate::host::signature::{self, Signature};
use crate::host::storage::{Storage, user_of};
use crate::host::target;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use dynamicfs_core::PoolParameters;
use dynamicfs_core::inspect::{DiskIdentity, LabelFault};
use std::path::Path;

/// What is on a disk that is to be used.
#[derive(Clone, Debug)]
pub(crate) enum Occupant {
    /// Nothing, as far as its ends and samples tell.
    Nothing,
    /// A disk of a pool, as its labels say.
    Member(PoolParameters, DiskIdentity),
    /// A disk of a pool that only a newer version knows.
    Newer(LabelFault),
    /// A disk that left a pool: its labels were wiped on purpose, the rest is still there.
    Left,
    /// Other filesystems, volumes or files, by their signatures.
    Foreign(Vec<Signature>),
    /// Data without a known signature.
    Data,
}

impl Occupant {
    /// Looks at a file or device. On a disk of a pool no signatures are looked for: its blocks may look like
    /// anything.
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        let refused = |error| Failure::host(format_args!("look at {}", path.shown()), &error);
        let labels = Labels::read(path).map_err(refused)?;
        if let Some((pool, disk)) = labels.identity() {
            return Ok(Self::Member(pool, disk));
        }
        if let Some(fault) = labels.unsupported() {
            return Ok(Self::Newer(fault));
        }
        if labels.are_absent() && labels::has_left(path).map_err(refused)? {
            return Ok(Self::Left);
        }
        let found = signature::find(path).map_err(refused)?;
        Ok(match found.is_empty() {
            false => Self::Foreign(found),
            true if signature::is_blank(path).map_err(refused)? => Self::Nothing,
            true => Self::Data,
        })
    }

    /// In words; `None` for nothing.
    pub(crate) fn words(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Member(pool, disk) => Some(format!("member {} of pool {}", disk.member.0, pool.pool)),
            Self::Newer(fault) => Some(format!("a disk of a pool {}", labels::fault(*fault))),
            Self::Left => Some("what a pool left on it that it was removed from".into()),
            Self::Foreign(found) => Some(signature::names(found)),
            Self::Data => Some("data of an unknown kind".into()),
        }
    }

    /// Refuses to overwrite what a pool did not leave there itself, unless that is forced. What is on a disk
    /// of a pool is the caller's to judge.
    pub(crate) fn refuse_foreign(&self, path: &Path, force: bool) -> Result<(), Failure> {
        if force || !matches!(self, Self::Foreign(_) | Self::Data) {
            return Ok(());
        }
        let what = self.words().unwrap_or_default();
        let look = match self {
            Self::Foreign(_) => "see it with `blkid` or `wipefs`; ",
            _ => "",
        };
        Err(Failure::new(Code::InUse, format!("{} is not blank: it holds {what}", path.shown()))
            .hint(format!("{look}--force overwrites it")))
    }

    /// The signatures that go with the first write to the disk.
    pub(crate) fn signatures(self) -> Vec<Signature> {
        match self {
            Self::Foreign(found) => found,
            _ => Vec::new(),
        }
    }
}

/// Refuses a disk that something has open under another name, also where it may be overwritten.
pub(crate) fn refuse_busy(path: &Path) -> Result<(), Failure> {
    let Some(user) = user_of(path) else { return Ok(()) };
    Err(Failure::new(Code::Busy, format!("{} is in use as {}", path.shown(), user.shown()))
        .hint("unmount that, or stop what has it open; `losetup -d` detaches a loop device"))
}

/// Refuses two names of the same bytes: they would be two disks that fail together, and overwrite each other.
pub(crate) fn refuse_shared(paths: &[&Path]) -> Result<(), Failure> {
    let stored: Vec<_> = paths.iter().filter_map(|path| Some((*path, Storage::of(path).ok()?))).collect();
    for (number, (second, storage)) in stored.iter().enumerate() {
        if let Some((first, _)) = stored[..number].iter().find(|(_, first)| first.overlaps(storage)) {
            let message = format!("{} and {} are the same storage", first.shown(), second.shown());
            return Err(Failure::new(Code::InUse, message).hint("name each disk once"));
        }
    }
    Ok(())
}

/// What makes a file one that nothing may take the place of unasked, if something does: it belongs to a pool.
pub(crate) fn belongs_to_a_pool(path: &Path) -> Option<&'static str> {
    match Labels::read(path) {
        _ if Config::is_one(path) => Some("says where the disks of a pool are"),
        // One that this version does not know, too.
        Ok(labels) if is_of_a_pool(labels) => Some("is a disk of a pool"),
        Ok(_) => None,
        Err(_) => Some("cannot be read, and may be a disk"),
    }
}

fn is_of_a_pool(labels: Labels) -> bool {
    labels.identity().is_some() || labels.unsupported().is_some()
}

/// Refuses a file that the pool keeps in its folder, or will: it would be replaced.
pub(crate) fn refuse_own_file(folder: &Path, path: &Path) -> Result<(), Failure> {
    let is_inside = path.parent().is_some_and(|parent| config::is_same(parent, folder));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_own = OWN_FILES.iter().any(|own| name.starts_with(own));
    if !folder.as_os_str().is_empty() && is_inside && is_own {
        let message = format!("{} is a file that the pool itself keeps", path.shown());
        return Err(Failure::new(Code::InUse, message).hint("name another disk"));
    }
    Ok(())
}

/// What the names of files begin with that a pool keeps in its folder.
const OWN_FILES: [&str; 5] =
    [config::FILE, journal::FILE, activity::FILE, activity::REQUEST, target::UNFINISHED];

/// Refuses a path that pool.toml cannot hold.
pub(crate) fn refuse_unlistable(path: &Path) -> Result<(), Failure> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            Code::InvalidName,
            format!("the path {} is not UTF-8 text, and pool.toml is", path.shown()),
        )
        .hint("rename it, or make a symbolic link to it under another name")),
    }
}
