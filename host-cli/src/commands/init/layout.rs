//! The folder and the disks of a pool that is being made. Whatever was made goes again unless all of it is finished.

use super::disks::{self, Given, Wanted};
use super::ground;
use super::unfinished::Remains;
use super::{MadeDisk, Options};
use crate::app::App;
use crate::host::storage::WriteProtection;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::below;
use crate::pool::config::{
    Config, DISKS, DiskEntry, FILE, UNFINISHED, absolute, lock, name_of, remove_unfinished,
};
use crate::pool::discover::{self, Found};
use crate::pool::labels::Labels;
use crate::pool::meter::Metered;
use crate::pool::occupied;
use crate::pool::occupied::Occupant;
use crate::pool::place::OpenDisk;
use crate::pool::wiping::Wiping;
use dynamicfs_core::DiskOptions;
use dynamicfs_core::error::{FormatError, StorageError};
use dynamicfs_core::health::MemberHealth;
use dynamicfs_core::inspect::{LABEL_BYTES, SECTOR_BYTES_MAX};
use dynamicfs_core::types::Uuid;
use dynamicfs_hal::BlockDevice;
use std::cell::RefCell;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FileDisk, FolderLock, OpenError};

/// Bytes of a witness that is made: its label and rings fit many times.
pub(crate) const WITNESS_BYTES: u64 = 1 << 20;

/// Permissions of the pool's own folders, and of those that they are in, less what the process's mask says.
const OWN_FOLDER: u32 = 0o700;
const ANY_FOLDER: u32 = 0o777;

/// A pool's folder and disks, half-made.
pub(super) struct Layout {
    folder: PathBuf,
    /// Files and folders that this made, in order; taken away again unless it is published.
    made: Vec<PathBuf>,
    disks: Vec<Wiping<FileDisk>>,
    /// What is on them, where that is only told.
    holds: Vec<Option<String>>,
    witness: Option<usize>,
    config: RefCell<Config>,
    tear_unit: u32,
    /// Some are images of disks that tear less than this machine's.
    has_images: bool,
    /// No other `init` makes a pool in the folder.
    lock: Option<FolderLock>,
}

impl Layout {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            made: Vec::new(),
            disks: Vec::new(),
            holds: Vec::new(),
            witness: None,
            config: RefCell::new(Config::new(folder.to_owned(), String::new(), Vec::new())),
            tear_unit: 0,
            has_images: false,
            lock: None,
        }
    }

    /// The same as [`prepare`](Self::prepare) gives, with files in memory for the disks. Nothing is written.
    pub(super) fn plan(app: &App, folder: &Path, options: &Options) -> Result<Self, Failure> {
        let (remains, given) = look(app, folder, options)?;
        let mut layout = Self::new(folder);
        for wanted in Wanted::all(folder, options, given)? {
            let is_left = remains.as_ref().is_some_and(|remains| remains.has(&wanted.path));
            if matches!(wanted.occupant, Occupant::Member(..)) && !options.force && !is_left {
                return Err(in_use(&wanted.path, ""));
            }
            let disk = wanted.stand_in()?;
            layout.holds.push(wanted.occupant.words());
            layout.add(wanted, disk);
        }
        Ok(layout)
    }

    /// Makes the folder and the disks' files, and opens all disks. Whether some of them are left of an `init`
    /// that was killed, whose labels count for nothing.
    pub(super) fn prepare(app: &App, folder: &Path, options: &Options) -> Result<(Self, bool), Failure> {
        look(app, folder, options)?;
        let mut layout = Self::new(folder);
        layout.make_folder(folder)?;
        layout.lock = match lock(folder) {
            Ok(lock) => lock,
            Err(busy) => {
                // The folder is another one's now.
                layout.made.clear();
                return Err(busy);
            }
        };
        // Until it was locked, another one may have made a pool in it.
        let (remains, given) = look(app, folder, options)?;
        if let Some(remains) = &remains {
            remains.clear()?;
        }
        refuse_disks(folder)?;
        layout.note(options, &given)?;
        if options.disks.is_some() {
            layout.make_folder(&folder.join(DISKS))?;
        }
        for wanted in Wanted::all(folder, options, given)? {
            let disk = wanted.open()?;
            if wanted.make.is_some() {
                layout.made.push(wanted.path.clone());
            }
            layout.add(wanted, disk);
        }
        let mut labelled =
            options.disk.iter().chain(&options.witness).filter(|path| Found::at(path).is_some());
        let is_again = remains.is_some_and(|remains| labelled.all(|path| remains.has(path)));
        Ok((layout, is_again))
    }

    /// Notes which disks are to be made or used.
    fn note(&mut self, options: &Options, given: &[Given]) -> Result<(), Failure> {
        let mut list = Config::new(self.folder.clone(), String::new(), Vec::new());
        for (name, path) in disks::images(options) {
            list.list(&name, path, None);
        }
        for disk in given {
            list.list(&name_of(&disk.path), absolute(&disk.path)?, None);
        }
        // First: where writing it fails half-way it is to go, too.
        self.made.push(self.folder.join(UNFINISHED));
        list.save_as(UNFINISHED)
    }

    fn make_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<_> =
            folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            // The pool's own folders are its owner's: a user with the right to list them can lock the pool.
            let is_own = path == folder;
            let mode = if is_own { OWN_FOLDER } else { ANY_FOLDER };
            match DirBuilder::new().mode(mode).create(path) {
                Ok(()) => self.made.push(path.to_owned()),
                // Another `init` made it meanwhile.
                Err(_) if path.is_dir() => {}
                Err(error) => {
                    return Err(Failure::host(format_args!("make the folder {}", path.shown()), &error));
                }
            }
        }
        Ok(())
    }

    /// Takes a disk that is open, or what stands in for it.
    fn add(&mut self, wanted: Wanted, disk: FileDisk) {
        if wanted.witness {
            self.witness = Some(self.disks.len());
        }
        self.tear_unit = self.tear_unit.max(disk.geometry().tear_unit);
        self.has_images |= wanted.is_image;
        self.disks.push(Wiping::new(disk, wanted.occupant.signatures()));
        self.config.borrow_mut().list(&wanted.name, wanted.listed, wanted.sector);
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes that a block must have so that a power cut damages no other.
    pub(super) const fn block_bytes_min(&self) -> u32 {
        self.tear_unit
    }

    pub(super) fn take_disks(&mut self) -> Vec<OpenDisk> {
        std::mem::take(&mut self.disks)
            .into_iter()
            .map(|disk| Some(Metered::new(disk, Arc::default())))
            .collect()
    }

    /// What is special about each disk.
    pub(super) fn members(&self) -> Vec<DiskOptions> {
        let disks = self.config.borrow().disks.len();
        (0..disks).map(|disk| DiskOptions::new().witness(self.witness == Some(disk))).collect()
    }

    /// Whether a power cut here may damage more than blocks of so many bytes: what is below the images is not
    /// what they are for.
    pub(super) const fn tears_more_than(&self, block_bytes: u32) -> bool {
        self.has_images && block_bytes < SECTOR_BYTES_MAX
    }

    /// Which filesystems have less room than the images in them may come to need.
    pub(super) fn overcommitted(&self) -> Vec<String> {
        let config = self.config.borrow();
        let images: Vec<(&str, PathBuf)> =
            config.disks.iter().map(|entry| (entry.name.as_str(), self.folder.join(&entry.path))).collect();
        below::overcommitted(images.iter().map(|(name, path)| (*name, path.as_path())))
    }

    /// Notes which member is where.
    pub(super) fn record(&self, pool: Uuid, members: &[MemberHealth]) {
        let mut config = self.config.borrow_mut();
        for (entry, member) in config.disks.iter_mut().zip(members) {
            entry.id = member.disk.map(|id| id.to_string());
            entry.member = member.member.map(|number| number.0);
        }
        config.pool = pool.to_string();
    }

    pub(super) fn report(&self, sizes: &[u64]) -> Vec<MadeDisk> {
        let config = self.config.borrow();
        let disk = |(number, (entry, &bytes)): (usize, (&DiskEntry, &u64))| {
            let path = self.folder.join(&entry.path);
            let holds = self.holds.get(number).cloned().flatten();
            MadeDisk {
                name: entry.name.clone(),
                path: path.as_path().into(),
                bytes,
                witness: self.witness == Some(number),
                holds,
            }
        };
        config.disks.iter().zip(sizes).enumerate().map(disk).collect()
    }

    /// Says which disk a failure is about.
    pub(super) fn explain(&self, error: FormatError) -> Failure {
        let config = self.config.borrow();
        let disk = match error {
            FormatError::DiskTooSmall { disk, .. }
            | FormatError::DiskTooLarge { disk, .. }
            | FormatError::Geometry { disk }
            | FormatError::InUse { disk, .. }
            | FormatError::LabelUnreadable { disk, .. }
            | FormatError::Overwritten { disk }
            | FormatError::Io { disk, .. }
            | FormatError::Storage(StorageError::NoSpaceBelow { disk }) => {
                config.disks.get(disk.0).map(|entry| self.folder.join(&entry.path))
            }
            _ => None,
        };
        let is_used = matches!(error, FormatError::InUse { .. });
        let failure = Failure::from(error);
        match disk {
            Some(path) if is_used => failure.hint(look_at(&path)).while_doing(path.shown()),
            Some(path) => failure.while_doing(path.shown()),
            None => failure,
        }
    }

    /// Writes `pool.toml`: from now on there is a pool.
    pub(super) fn publish(mut self) -> Result<(), Failure> {
        let synced = |path: &Path| {
            std_host_shim::sync_parent_directory(path)
                .map_err(|error| Failure::host(format_args!("flush {}", path.shown()), &error))
        };
        let listed =
            self.made.iter().try_for_each(|path| synced(path)).and_then(|()| self.config.borrow().save());
        match listed {
            Ok(()) => {
                self.made.clear();
                remove_unfinished(&self.folder);
            }
            Err(_) => self.disown(),
        }
        listed
    }

    /// Takes the labels off disks that no pool.toml lists, so that they can be given again. What fails here
    /// is said by the failure before it.
    fn disown(&self) {
        // It may be there, and not known to be durable.
        let _ = fs::remove_file(self.folder.join(FILE));
        for entry in &self.config.borrow().disks {
            let path = self.folder.join(&entry.path);
            let Some((_, identity)) = Labels::read(&path).ok().and_then(|labels| labels.identity()) else {
                continue;
            };
            let Ok(disk) = fs::File::options().write(true).open(&path) else { continue };
            for at in identity.label_places() {
                let _ = disk.write_all_at(&[0; LABEL_BYTES], at);
            }
            let _ = disk.sync_data();
        }
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        self.disks.clear();
        for path in self.made.drain(..).rev() {
            // A folder with files of another program stays.
            let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        }
    }
}

pub(super) fn in_use(path: &Path, which: &str) -> Failure {
    Failure::new(Code::InUse, format!("{} belongs to a pool{which}", path.shown())).hint(look_at(path))
}

/// What to do about a disk that belongs to a pool.
pub(crate) fn look_at(path: &Path) -> String {
    format!("see what is on it with `dynamicfs labels --disk {}`; --force overwrites it", path.typed())
}

/// The remains of a killed `init`, and the disks that were given. Refused where no pool can be made of them,
/// before anything is written.
fn look(app: &App, folder: &Path, options: &Options) -> Result<(Option<Remains>, Vec<Given>), Failure> {
    refuse_used(folder)?;
    refuse_own_files(folder, options)?;
    ground::refuse_unmakable(folder)?;
    let remains = Remains::find(app, folder)?;
    if remains.is_none() {
        refuse_disks(folder)?;
    }
    let given = Given::look(folder, options, remains.as_ref())?;
    Ok((remains, given))
}

fn refuse_used(folder: &Path) -> Result<(), Failure> {
    if !folder.join(FILE).exists() {
        return Ok(());
    }
    Err(Failure::new(Code::InUse, format!("{} holds a pool already", folder.shown()))
        .hint("see it with `dynamicfs status`, or name another folder with --pool"))
}

/// Refuses disks that are files which the pool itself will keep.
fn refuse_own_files(folder: &Path, options: &Options) -> Result<(), Failure> {
    let mut disks = options.disk.iter().chain(&options.witness);
    disks.try_for_each(|path| occupied::refuse_own_file(folder, &absolute(path)?))
}

/// Refuses a folder with disks that no list says anything of.
fn refuse_disks(folder: &Path) -> Result<(), Failure> {
    let disks = folder.join(DISKS);
    if fs::symlink_metadata(&disks).is_err() {
        return Ok(());
    }
    let found = discover::scan(&disks).unwrap_or_default();
    let hint = match found.iter().any(|path| Found::at(path).is_some()) {
        true => {
            format!("it holds disks of a pool: `{}` lists them again", discover::import_again(folder))
        }
        false => "name another folder with --pool, or take that one away".to_owned(),
    };
    Err(Failure::new(Code::InUse, format!("{} has a folder `disks` already", folder.shown())).hint(hint))
}

/// Refuses what can be read and not written to.
pub(crate) fn refuse_protected(path: &Path) -> Result<(), Failure> {
    WriteProtection::of(path).map_or(Ok(()), |why| Err(explain_open(&why.error(), path)))
}

pub(crate) fn explain_open(error: &OpenError, path: &Path) -> Failure {
    let shown = path.shown();
    match error {
        OpenError::Busy { .. } => {
            Failure::new(Code::Busy, format!("{shown} is {error}")).hint("unmount it, or stop that process")
        }
        OpenError::System { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Failure::new(Code::NotFound, format!("{shown} does not exist")).hint(format!(
                "make a file first, as with `truncate -s 1GiB {}`, or use --disks and --disk-size",
                path.typed()
            ))
        }
        OpenError::System { operation, source } => Failure::host(format_args!("{operation} {shown}"), source),
        _ => Failure::new(Code::InvalidArgument, format!("{shown}: {error}")),
    }
}
