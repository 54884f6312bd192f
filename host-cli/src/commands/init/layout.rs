//! The folder and the disks of a pool that is being made. Whatever was made goes again unless all of it is finished.

use super::unfinished::Remains;
use super::{MadeDisk, Options};
use crate::app::App;
use crate::host::devices::stable_path;
use crate::host::stand_in::StandIn;
use crate::host::storage::WriteProtection;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::below;
use crate::pool::config::{
    Config, DISKS, DiskEntry, FILE, UNFINISHED, absolute, lock, name_of, remove_unfinished,
};
use crate::pool::discover::{self, Found};
use crate::pool::labels::{self, Labels};
use crate::pool::meter::Metered;
use crate::pool::occupied::{self, Occupant};
use crate::pool::place::OpenDisk;
use crate::pool::wiping::Wiping;
use dynamicfs_core::error::{FormatError, StorageError};
use dynamicfs_core::format::label::LABEL_BYTES;
use dynamicfs_core::pool::{DiskOptions, MemberHealth};
use dynamicfs_core::types::Uuid;
use dynamicfs_hal::BlockDevice;
use std::cell::RefCell;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FileDisk, FileDiskOptions, FolderLock, OpenError};

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
    /// No other `init` makes a pool in the folder.
    _lock: Option<FolderLock>,
}

impl Layout {
    fn new(folder: &Path, lock: Option<FolderLock>) -> Self {
        Self {
            folder: folder.to_owned(),
            made: Vec::new(),
            disks: Vec::new(),
            holds: Vec::new(),
            witness: None,
            config: RefCell::new(Config::new(folder.to_owned(), String::new(), Vec::new())),
            tear_unit: 0,
            _lock: lock,
        }
    }

    /// The same as [`prepare`](Self::prepare) gives, with files in memory for the disks. Nothing is written.
    pub(super) fn plan(app: &App, folder: &Path, options: &Options) -> Result<Self, Failure> {
        refuse_used(folder)?;
        refuse_own_files(folder, options)?;
        let remains = Remains::find(app, folder)?;
        if remains.is_none() {
            refuse_disks(folder)?;
        }
        let given = Given::look(options, remains.as_ref())?;
        let mut layout = Self::new(folder, None);
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
        refuse_used(folder)?;
        refuse_own_files(folder, options)?;
        let remains = Remains::find(app, folder)?;
        let given = Given::look(options, remains.as_ref())?;
        let lock = folder.exists().then(|| lock(folder)).transpose()?.flatten();
        if let Some(remains) = &remains {
            remains.clear()?;
        }
        refuse_disks(folder)?;
        let mut layout = Self::new(folder, lock);
        layout.make_folder(folder)?;
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
        for number in 0..options.disks.unwrap_or(0) {
            list.list(&format!("disk-{number}"), Path::new(DISKS).join(format!("disk-{number}.img")), None);
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
            // The pool's own folders are its owner's: whoever may list them may lock the pool.
            let is_own = path == folder;
            let mode = if is_own { OWN_FOLDER } else { ANY_FOLDER };
            DirBuilder::new()
                .mode(mode)
                .create(path)
                .map_err(|error| Failure::host(format_args!("make the folder {}", path.shown()), &error))?;
            self.made.push(path.to_owned());
        }
        Ok(())
    }

    /// Takes a disk that is open, or what stands in for it.
    fn add(&mut self, wanted: Wanted, disk: FileDisk) {
        if wanted.witness {
            self.witness = Some(self.disks.len());
        }
        self.tear_unit = self.tear_unit.max(disk.geometry().tear_unit);
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
        (0..disks)
            .map(|disk| DiskOptions { witness: self.witness == Some(disk), ..DiskOptions::default() })
            .collect()
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
            | FormatError::Geometry { disk }
            | FormatError::InUse { disk, .. }
            | FormatError::Io { disk, .. }
            | FormatError::Storage(StorageError::NoSpaceBelow { disk }) => {
                config.disks.get(disk).map(|entry| self.folder.join(&entry.path))
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
            // A folder that someone else put something into stays.
            let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
        }
    }
}

/// A disk of the new pool.
struct Wanted {
    path: PathBuf,
    /// Its path as pool.toml has it.
    listed: PathBuf,
    name: String,
    /// Bytes of a file that is to be made.
    make: Option<u64>,
    /// Bytes of a sector; a device says itself what its sectors are.
    sector: Option<u32>,
    occupant: Occupant,
    witness: bool,
}

impl Wanted {
    /// All of them, in the order of their numbers.
    fn all(folder: &Path, options: &Options, given: Vec<Given>) -> Result<Vec<Self>, Failure> {
        let smallest = [options.node_size, options.chunk].into_iter().flatten().min();
        // Sectors no larger than the smallest thing that is written.
        let sector = match options.portable {
            true => Some(512),
            false => smallest.filter(|&size| size < 4096).map(|size| size as u32),
        };
        let made = (0..options.disks.unwrap_or(0)).map(|number| {
            let name = format!("disk-{number}");
            let listed = Path::new(DISKS).join(format!("{name}.img"));
            let (make, occupant) = (options.disk_size, Occupant::Nothing);
            Ok(Self { path: folder.join(&listed), listed, name, make, sector, occupant, witness: false })
        });
        let given = given.into_iter().map(|Given { path, occupant, witness }| {
            let name = if witness { "witness".to_owned() } else { name_of(&path) };
            let listed = absolute(&stable_path(&path))?;
            let make = occupant.is_none().then_some(WITNESS_BYTES);
            let sector = sector.filter(|_| make.is_some() || path.is_file());
            let occupant = occupant.unwrap_or(Occupant::Nothing);
            Ok(Self { path: folder.join(&listed), listed, name, make, sector, occupant, witness })
        });
        made.chain(given).collect()
    }

    fn options(&self) -> FileDiskOptions {
        let options = FileDiskOptions::new();
        self.sector.map_or(options, |sector| options.sector_bytes(sector))
    }

    /// Opens it, made first if it is to be.
    fn open(&self) -> Result<FileDisk, Failure> {
        let opened = match self.make {
            Some(bytes) => self.options().create(&self.path, bytes),
            None => self.options().open(&self.path),
        };
        opened.map_err(|error| explain_open(&error, &self.path))
    }

    /// A file in memory that is like it.
    fn stand_in(&self) -> Result<FileDisk, Failure> {
        let (bytes, options) = match self.make {
            Some(bytes) => (bytes, self.options()),
            None => {
                if let Some(why) = WriteProtection::of(&self.path) {
                    return Err(explain_open(&why.error(), &self.path));
                }
                let disk = self.options().unlocked().open(&self.path);
                let geometry = disk.map_err(|error| explain_open(&error, &self.path))?.geometry();
                let options = FileDiskOptions::new().sector_bytes(geometry.sector_bytes);
                (geometry.bytes(), options.tear_unit(geometry.tear_unit))
            }
        };
        let stand_in = StandIn::new(bytes).map_err(|error| Failure::host("make a file in memory", &error))?;
        options.open(stand_in.path()).map_err(|error| explain_open(&error, &self.path))
    }
}

/// A disk that was given by its path.
struct Given {
    path: PathBuf,
    /// What is on it; `None` where there is nothing at the path, and a witness is to be made.
    occupant: Option<Occupant>,
    witness: bool,
}

impl Given {
    /// Looks at all of them, and refuses those that cannot be used: each before anything is written.
    fn look(options: &Options, remains: Option<&Remains>) -> Result<Vec<Self>, Failure> {
        let disks = options.disk.iter().map(|path| (path, false));
        let given: Vec<(&PathBuf, bool)> =
            disks.chain(options.witness.iter().map(|path| (path, true))).collect();
        let paths: Vec<&Path> = given.iter().map(|(path, _)| path.as_path()).collect();
        paths.iter().try_for_each(|path| occupied::refuse_unlistable(&absolute(path)?))?;
        occupied::refuse_shared(&paths)?;
        let is_left = |path: &Path| remains.is_some_and(|remains| remains.has(path));
        let look =
            |(path, witness): (&PathBuf, bool)| Self::look_at(path, witness, (options.force, is_left(path)));
        given.into_iter().map(look).collect()
    }

    fn look_at(path: &Path, witness: bool, (force, is_left): (bool, bool)) -> Result<Self, Failure> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && witness => {
                return Ok(Self { path: path.to_owned(), occupant: None, witness });
            }
            Err(source) => {
                return Err(explain_open(&OpenError::System { operation: "open", source }, path));
            }
            Ok(metadata) => match OpenError::not_a_disk(metadata.file_type()) {
                Some(error) => return Err(explain_open(&error, path)),
                None => occupied::refuse_busy(path)?,
            },
        }
        let occupant = Occupant::of(path)?;
        if let (Occupant::Newer(fault), false) = (&occupant, force) {
            return Err(in_use(path, &format!(" {}", labels::fault(*fault))));
        }
        // What an `init` that was killed wrote there is of no known kind.
        let is_own = is_left && matches!(occupant, Occupant::Data);
        occupant.refuse_foreign(path, force || is_own)?;
        Ok(Self { path: path.to_owned(), occupant: Some(occupant), witness })
    }
}

fn in_use(path: &Path, which: &str) -> Failure {
    Failure::new(Code::InUse, format!("{} belongs to a pool{which}", path.shown())).hint(look_at(path))
}

/// What to do about a disk that belongs to a pool.
pub(crate) fn look_at(path: &Path) -> String {
    format!("see what is on it with `dynamicfs labels --disk {}`; --force overwrites it", path.typed())
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
