//! The folder and the disks of a pool that is being made. Whatever was made goes again unless all of it is finished.

use super::{MadeDisk, Options};
use crate::host::signature::Signature;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::config::{Config, DISKS, DiskEntry, FILE, absolute, name_of};
use crate::pool::labels::{self, Labels};
use crate::pool::meter::Metered;
use crate::pool::occupied;
use crate::pool::place::OpenDisk;
use dynamicfs_core::error::{FormatError, StorageError};
use dynamicfs_core::format::label::{LABEL_BYTES, PoolParameters};
use dynamicfs_core::pool::{DiskOptions, MemberHealth};
use dynamicfs_hal::BlockDevice;
use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

/// Bytes of a witness that is made: its label and rings fit many times.
const WITNESS_BYTES: u64 = 1 << 20;

/// A pool's folder and disks, half-made.
pub(super) struct Layout {
    folder: PathBuf,
    /// Files and folders that this made, in order; taken away again unless it is published.
    made: Vec<PathBuf>,
    disks: Vec<FileDisk>,
    witness: Option<usize>,
    config: RefCell<Config>,
    tear_unit: u32,
}

impl Layout {
    /// Makes the folder and the disks' files, and opens all disks.
    pub(super) fn prepare(folder: &Path, options: &Options) -> Result<Self, Failure> {
        refuse_used(folder)?;
        refuse_newer(options)?;
        let foreign = look_at_given(options)?;
        let config = Config::new(folder.to_owned(), String::new(), Vec::new());
        let mut layout = Self {
            folder: folder.to_owned(),
            made: Vec::new(),
            disks: Vec::new(),
            witness: None,
            config: RefCell::new(config),
            tear_unit: 0,
        };
        layout.make_folder(folder)?;
        let smallest = [options.node_size, options.chunk].into_iter().flatten().min();
        // Sectors no larger than the smallest thing that is written; a device has its own.
        let sector = if options.portable {
            Some(512)
        } else {
            smallest.filter(|&size| size < 4096).map(|size| size as u32)
        };
        if let (Some(disks), Some(bytes)) = (options.disks, options.disk_size) {
            layout.make_folder(&folder.join(DISKS))?;
            for number in 0..disks {
                let path = Path::new(DISKS).join(format!("disk-{number}.img"));
                layout.add(path, sector, Some(bytes), &format!("disk-{number}"))?;
            }
        }
        for path in &options.disk {
            let name = name_of(path);
            layout.add(absolute(path)?, sector, None, &name)?;
        }
        if let Some(path) = &options.witness {
            layout.witness = Some(layout.disks.len());
            let bytes = (!path.exists()).then_some(WITNESS_BYTES);
            layout.add(absolute(path)?, sector, bytes, "witness")?;
        }
        // All of them are there, and locked.
        foreign.into_iter().try_for_each(|(path, found)| occupied::wipe(path, &found))?;
        Ok(layout)
    }

    fn make_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<_> =
            folder.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
        for path in missing.into_iter().rev() {
            fs::create_dir(path)
                .map_err(|error| Failure::host(format_args!("make the folder {}", path.shown()), &error))?;
            self.made.push(path.to_owned());
        }
        Ok(())
    }

    /// Opens a disk, made first if it is to have so many bytes.
    fn add(
        &mut self,
        path: PathBuf,
        sector: Option<u32>,
        make: Option<u64>,
        name: &str,
    ) -> Result<(), Failure> {
        let whole = self.folder.join(&path);
        let mut options = FileDiskOptions::new();
        // A device says itself what its sectors are.
        let sector = sector.filter(|_| make.is_some() || whole.is_file());
        if let Some(sector) = sector {
            options = options.sector_bytes(sector);
        }
        let opened = match make {
            Some(bytes) => options.create(&whole, bytes),
            None => options.open(&whole),
        };
        let disk = opened.map_err(|error| explain_open(&error, &whole))?;
        if make.is_some() {
            self.made.push(whole);
        }
        self.tear_unit = self.tear_unit.max(disk.geometry().tear_unit);
        self.disks.push(disk);
        self.config.borrow_mut().list(name, path, sector);
        Ok(())
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

    /// Notes who is where; the pool's parameters.
    pub(super) fn record(&self, members: &[MemberHealth]) -> Result<PoolParameters, Failure> {
        let mut config = self.config.borrow_mut();
        for (entry, member) in config.disks.iter_mut().zip(members) {
            entry.id = member.disk.map(|id| id.to_string());
            entry.member = member.member.map(|number| number.0);
        }
        let first = config.disks.first().map(|entry| self.folder.join(&entry.path)).unwrap_or_default();
        let labels = Labels::read(&first)
            .map_err(|error| Failure::host(format_args!("read {}", first.shown()), &error))?;
        let unreadable =
            || Failure::new(Code::BadPool, format!("the label of {} cannot be read back", first.shown()));
        let (parameters, _) = labels.identity().ok_or_else(unreadable)?;
        config.pool = parameters.pool.to_string();
        Ok(parameters)
    }

    pub(super) fn report(&self, sizes: &[u64]) -> Vec<MadeDisk> {
        let config = self.config.borrow();
        let disk = |(number, (entry, &bytes)): (usize, (&DiskEntry, &u64))| MadeDisk {
            name: entry.name.clone(),
            path: self.folder.join(&entry.path).shown().to_string(),
            bytes,
            witness: self.witness == Some(number),
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
        let failure = Failure::from(error);
        match disk {
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
            Ok(()) => self.made.clear(),
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

/// What would be made.
pub(super) fn plan(folder: &Path, options: &Options) -> Result<Vec<MadeDisk>, Failure> {
    refuse_used(folder)?;
    refuse_newer(options)?;
    let made = (0..options.disks.unwrap_or(0)).map(|number| MadeDisk {
        name: format!("disk-{number}"),
        path: folder.join(DISKS).join(format!("disk-{number}.img")).shown().to_string(),
        bytes: options.disk_size.unwrap_or(0),
        witness: false,
    });
    let mut disks: Vec<MadeDisk> = made.collect();
    look_at_given(options)?;
    for (path, witness) in
        options.disk.iter().map(|path| (path, false)).chain(options.witness.iter().map(|path| (path, true)))
    {
        let bytes = match Labels::read(path) {
            Ok(labels) if labels.identity().is_some() && !options.force => return Err(in_use(path, "")),
            Ok(labels) => labels.bytes,
            Err(_) if witness => WITNESS_BYTES,
            Err(error) => return Err(Failure::host(format_args!("open {}", path.shown()), &error)),
        };
        disks.push(MadeDisk { name: name_of(path), path: path.shown().to_string(), bytes, witness });
    }
    Ok(disks)
}

/// Refuses disks that were given and cannot be used, and finds what is to be wiped on the others.
fn look_at_given(options: &Options) -> Result<Vec<(&Path, Vec<Signature>)>, Failure> {
    let given: Vec<&Path> = options.disk.iter().chain(&options.witness).map(PathBuf::as_path).collect();
    given.iter().try_for_each(|path| occupied::refuse_unlistable(&absolute(path)?))?;
    occupied::refuse_shared(&given)?;
    let there = given.into_iter().filter(|path| path.exists());
    there.map(|path| Ok((path, occupied::look(path, options.force)?))).collect()
}

/// Refuses disks of pools that only a newer version knows.
fn refuse_newer(options: &Options) -> Result<(), Failure> {
    let newer = |path: &PathBuf| {
        let fault = Labels::read(path).ok()?.unsupported()?;
        Some(in_use(path, &format!(" {}", labels::fault(fault))))
    };
    match options.disk.iter().chain(&options.witness).find_map(newer) {
        Some(failure) if !options.force => Err(failure),
        _ => Ok(()),
    }
}

fn in_use(path: &Path, which: &str) -> Failure {
    Failure::new(Code::InUse, format!("{} belongs to a pool{which}", path.shown()))
        .hint("see what is on it with `dynamicfs labels --disk PATH`; --force overwrites it")
}

fn refuse_used(folder: &Path) -> Result<(), Failure> {
    let taken = |what: &str, hint: &str| {
        Err(Failure::new(Code::InUse, format!("{} {what}", folder.shown())).hint(hint.to_owned()))
    };
    if folder.join(FILE).exists() {
        return taken(
            "holds a pool already",
            "see it with `dynamicfs status`, or name another folder with --pool",
        );
    }
    if folder.join(DISKS).exists() {
        return taken(
            "has a folder `disks` already",
            "name another folder with --pool, or take that one away",
        );
    }
    Ok(())
}

pub(crate) fn explain_open(error: &OpenError, path: &Path) -> Failure {
    let shown = path.shown();
    match error {
        OpenError::Busy { .. } => {
            Failure::new(Code::Busy, format!("{shown} is {error}")).hint("unmount it, or stop that process")
        }
        OpenError::System { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Failure::new(Code::NotFound, format!("{shown} does not exist")).hint(format!(
                "make a file first, as with `truncate -s 1GiB {shown}`, or use --disks and --disk-size"
            ))
        }
        OpenError::System { operation, source } => Failure::host(format_args!("{operation} {shown}"), source),
        _ => Failure::new(Code::InvalidArgument, format!("{shown}: {error}")),
    }
}
