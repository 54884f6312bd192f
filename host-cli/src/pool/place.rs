//! A place for a disk, and what was found there.

use super::config::{Config, DiskEntry, Whereabouts};
use super::discover::Found;
use super::labels::Labels;
use super::meter::{Meter, Metered};
use super::wait;
use super::wiping::Wiping;
use crate::host::machine::Lack;
use crate::host::storage::WriteProtection;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use dynamicfs_core::inspect::SECTOR_BYTES_MAX;
use dynamicfs_hal::Geometry;
use rustix::io::Errno;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

/// A disk as the pool uses it.
pub(crate) type HostDisk = Metered<Wiping<FileDisk>>;

/// The disk at a place, if there is one.
pub(crate) type OpenDisk = Option<HostDisk>;

/// A place of the array.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) entry: DiskEntry,
    pub(crate) path: PathBuf,
    /// What its labels say, where they can be read.
    pub(crate) labels: Option<Labels>,
    /// Why there is no disk here, if there is none.
    pub(crate) fault: Option<Fault>,
    /// Why the disk can be read and not written to, if that is so.
    pub(crate) write_protection: Option<WriteProtection>,
    /// How long its requests take.
    pub(crate) meter: Arc<Meter>,
}

/// How disks are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// To read and write, alone.
    Write,
    /// To read, beside other readers.
    Read,
    /// To read, beside a writer: what is read is whole only if the writer committed nothing meanwhile.
    Look,
}

/// Why a place of the array is without a disk.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// There is no such file or device.
    Missing,
    /// Another disk of the pool is there.
    Displaced,
    /// It can be read, and is to be written to.
    ReadOnly,
    /// It cannot be opened.
    Unusable(String),
}

/// Whether the pool's blocks are smaller than what a power cut may damage in a file. Its files are images of
/// disks that tear single sectors, and one more may be added. `health` tells what comes of that here.
fn has_small_blocks(config: &Config) -> bool {
    let found = config
        .disks
        .iter()
        .find_map(|disk| Found::at(&config.path_of(disk)).filter(|it| it.pool_id() == config.pool));
    found.is_some_and(|found| found.pool.block_bytes() < SECTOR_BYTES_MAX as usize)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.entry.name, self.path.shown())
    }
}

impl Place {
    /// Opens the disk of a place, or says why it stays empty.
    fn open(config: &Config, entry: &DiskEntry, opening: Opening) -> Result<(Self, OpenDisk), Failure> {
        let path = config.path_of(entry);
        if entry.whereabouts == Whereabouts::Displaced {
            return Ok((Self::without(entry, path, Fault::Displaced), None));
        }
        let labels = match Labels::read(&path) {
            // A label that could not be read for want of something else is not absent.
            Err(source) if Lack::of(&source).is_some_and(|it| it != Lack::ReadOnly) => {
                let shown = path.shown();
                return Err(Failure::host(format_args!("read {} ({shown})", entry.name), &source));
            }
            labels => labels.ok(),
        };
        let write_protection = WriteProtection::of(&path);
        let (entry, meter) = (entry.clone(), Arc::default());
        let mut place = Self { entry, path, labels, fault: None, write_protection, meter };
        let mut options = match opening {
            Opening::Write => FileDiskOptions::new(),
            Opening::Read => FileDiskOptions::new().read_only(true),
            Opening::Look => FileDiskOptions::new().unlocked(),
        };
        if let Some(sector) = place.entry.sector {
            options = match place.entry.adding && has_small_blocks(config) {
                true => options.like(Geometry::new(sector, 0)),
                false => options.sector_bytes(sector),
            };
        }
        let (fault, disk) = match options.open(&place.path) {
            Ok(disk) => {
                let disk = Wiping::new(disk, place.entry.foreign.clone());
                (None, Some(Metered::new(disk, place.meter.clone())))
            }
            Err(error) => (Some(place.fault_of(&error, (&config.folder, opening != Opening::Write))?), None),
        };
        place.fault = fault;
        Ok((place, disk))
    }

    fn without(entry: &DiskEntry, path: PathBuf, fault: Fault) -> Self {
        let (entry, meter) = (entry.clone(), Arc::default());
        Self { entry, path, labels: None, fault: Some(fault), write_protection: None, meter }
    }

    /// Whether something is here that could be opened, and has no label.
    pub(crate) fn is_unlabelled(&self) -> bool {
        self.fault.is_none() && self.labels.and_then(|labels| labels.identity()).is_none()
    }

    /// Why no member of the pool can be read here, as far as the disk alone tells.
    pub(crate) fn absence(&self, pool: &str) -> Option<String> {
        let why = match (&self.fault, self.labels.and_then(|labels| labels.identity())) {
            (Some(Fault::Missing), _) => "no such file or device".to_owned(),
            (Some(Fault::Displaced), _) => "another disk of the pool is there".to_owned(),
            (Some(Fault::ReadOnly), _) => "it takes no writes".to_owned(),
            (Some(Fault::Unusable(why)), _) => why.clone(),
            (None, None) => "it has no label".into(),
            (None, Some((found, _))) if found.pool.to_string() != pool => "it belongs to another pool".into(),
            (None, Some(_)) => return None,
        };
        Some(format!("{self}: {why}"))
    }

    /// Whether it takes no writes from anyone, and the command does not take it out of use.
    pub(super) fn is_in_the_way(&self) -> bool {
        let is_protected =
            self.write_protection.as_ref().is_some_and(|why| *why != WriteProtection::ThisUser);
        !self.entry.given_up && (is_protected || matches!(self.fault, Some(Fault::ReadOnly)))
    }

    /// Why a command that writes to all disks is refused where this one takes no writes.
    pub(super) fn takes_no_writes(&self) -> Failure {
        let name = &self.entry.name;
        let failure = Failure::host(format_args!("open {self} for writing"), &Errno::ROFS.into());
        match &self.write_protection {
            Some(why @ (WriteProtection::Device | WriteProtection::Loop(_))) => failure.hint(format!(
                "make it writable with `{}`, or do without it: `dynamicfs disk fail {name}`",
                why.cure(&self.path.typed())
            )),
            _ => failure,
        }
    }

    /// What an error says of the disk; some say that the command cannot continue at all.
    pub(super) fn fault_of(
        &self,
        error: &OpenError,
        (folder, read_only): (&Path, bool),
    ) -> Result<Fault, Failure> {
        match error {
            OpenError::Busy { pid } => Err(wait::busy(folder, self, *pid)),
            // One that could not be opened for want of something else is not away.
            OpenError::System { operation, source }
                if Lack::of(source).is_some_and(|it| it != Lack::ReadOnly) =>
            {
                Err(Failure::host(format_args!("{operation} {self}"), source))
            }
            OpenError::System { source, .. } => match source.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(Fault::Missing),
                ErrorKind::ReadOnlyFilesystem if !read_only => Ok(Fault::ReadOnly),
                // A filesystem may copy what is opened to be written to.
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    let message = format!("there is no room to open {self} for writing");
                    Err(Failure::new(Code::NoSpaceBelow, message).hint("make room in its filesystem"))
                }
                ErrorKind::PermissionDenied if !read_only => {
                    let failure = Failure::host(format_args!("open {self} for writing"), source);
                    Err(failure.hint("make it writable, or add --read-only to commands that only read"))
                }
                ErrorKind::PermissionDenied => {
                    let failure = Failure::host(format_args!("open {self} for reading"), source);
                    Err(failure.hint("run it as a user that may read the disks, as root"))
                }
                _ => Ok(Fault::Unusable(error.to_string())),
            },
            _ => Ok(Fault::Unusable(error.to_string())),
        }
    }
}

/// All disks of a pool that can be opened, each at its place.
pub(crate) fn open_all(config: &Config, opening: Opening) -> Result<(Vec<Place>, Vec<OpenDisk>), Failure> {
    let opened: Result<Vec<_>, _> =
        config.disks.iter().map(|entry| Place::open(config, entry, opening)).collect();
    let (places, disks): (Vec<Place>, Vec<_>) = opened?.into_iter().unzip();
    if disks.iter().all(Option::is_none) {
        if let Some(place) = places.iter().find(|place| matches!(place.fault, Some(Fault::ReadOnly))) {
            return Err(place.takes_no_writes());
        }
        let folder = config.folder.shown();
        let why = places.first().map_or("pool.toml lists none".into(), |place| match &place.fault {
            Some(Fault::Unusable(why)) => format!("{place}: {why}"),
            _ => format!("{place} does not exist, nor do the others"),
        });
        let failure =
            Failure::new(Code::TooFewDisks, format!("no disk of the pool in {folder} can be opened: {why}"));
        return Err(failure.hint(format!(
            "attach the disks; `dynamicfs import --pool {} --scan FOLDER` finds disks at other places",
            config.folder.typed()
        )));
    }
    Ok((places, disks))
}

/// Says of a failure for want of data which disks are not there.
pub(crate) fn name_absent(failure: Failure, pool: &str, places: &[Place]) -> Failure {
    if !matches!(failure.code(), Code::Damaged | Code::Unreadable | Code::TooFewDisks | Code::BadPool) {
        return failure;
    }
    let absent: Vec<String> = places.iter().filter_map(|place| place.absence(pool)).collect();
    match absent.is_empty() {
        true => failure,
        false => failure.and(format_args!("not here: {}", absent.join("; "))),
    }
}
