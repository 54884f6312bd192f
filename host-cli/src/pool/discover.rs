//! Disks of pools, found by what their labels say.

use super::config::{Config, DISKS, DiskEntry, Whereabouts, absolute, is_same, name_of};
use super::labels::Labels;
use super::occupied;
use crate::host::devices;
use crate::host::storage::Storage;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use dynamicfs_core::PoolParameters;
use dynamicfs_core::inspect::DiskIdentity;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders inside a folder that is scanned: a pool's folder, and its `disks`.
const SCAN_DEPTH: usize = 3;

/// A disk of a pool.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) pool: PoolParameters,
    pub(crate) disk: DiskIdentity,
}

impl Found {
    /// The disk at a path, where it has a label.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let (pool, disk) = Labels::read(path).ok()?.identity()?;
        Some(Self { path: path.to_owned(), pool, disk })
    }

    pub(crate) fn pool_id(&self) -> String {
        self.pool.pool.to_string()
    }

    pub(crate) fn id(&self) -> String {
        self.disk.disk.to_string()
    }

    /// Its entry of pool.toml. Of a pool of small nodes, files have small sectors.
    pub(crate) fn entry(&self, config: &mut Config, name: Option<&str>) -> Result<(), Failure> {
        let path = absolute(&devices::stable_path(&self.path))?;
        let largest = self.pool.sector_bytes_max();
        let sector = (self.path.is_file() && largest < 4096).then_some(largest);
        let of_label = if self.disk.witness { "witness".to_owned() } else { name_of(&self.path) };
        let place = config.list(name.unwrap_or(&of_label), config.shortened(path), sector);
        let (id, member) = (Some(self.id()), Some(self.disk.member.0));
        config.disks[place] = DiskEntry { id, member, ..config.disks[place].clone() };
        Ok(())
    }
}

/// Paths where disks may be, unless others are named: those that are in the pool's folder, and all block
/// devices.
pub(crate) fn usual_places(folder: Option<&Path>) -> Vec<PathBuf> {
    let own =
        folder.into_iter().flat_map(|folder| files_in(folder, 1).chain(files_in(&folder.join(DISKS), 1)));
    own.chain(devices::block_devices()).collect()
}

/// The command that lists the disks of a folder's pool anew. It names the pool where a disk tells which that
/// is: disks of other pools may be attached.
pub(crate) fn import_again(folder: &Path) -> String {
    let pool =
        usual_places(Some(folder)).iter().find_map(|path| Found::at(path)).map(|found| found.pool_id());
    import_of(pool.as_deref(), folder)
}

/// The same, of this pool.
pub(crate) fn import_of(pool: Option<&str>, folder: &Path) -> String {
    let folder = folder.typed();
    match pool {
        Some(pool) => format!("dynamicfs import {pool} --pool {folder}"),
        None => format!("dynamicfs import --pool {folder}"),
    }
}

/// Disks of a pool at the places where they may be.
pub(super) fn in_usual_places(config: &Config) -> Vec<Found> {
    let paths = usual_places(config.has_folder().then_some(config.folder.as_path()));
    let found = paths.iter().filter_map(|path| Found::at(path));
    found.filter(|found| found.pool_id() == config.pool).collect()
}

/// Of these the disks that are not where pool.toml has them.
pub(super) fn elsewhere(config: &Config) -> Vec<Found> {
    let is_listed = |found: &Found| {
        let place = config.place_of(&found.disk);
        place.is_some_and(|place| is_same(&config.path_of(&config.disks[place]), &found.path))
    };
    in_usual_places(config).into_iter().filter(|found| !is_listed(found)).collect()
}

/// Where a member is among these disks: by its identity, or by its number where that is not known. Of two
/// disks that say that they are the same none is chosen.
pub(super) fn of_member<'f>(found: &'f [Found], id: Option<&str>, member: u16) -> Option<&'f Path> {
    let is_it = |found: &&Found| id.map_or(found.disk.member.0 == member, |id| found.id() == id);
    let mut same = found.iter().filter(is_it);
    let first = same.next()?;
    let is_copied = same.any(|other| occupied::refuse_shared(&[&first.path, &other.path]).is_ok());
    (!is_copied).then_some(first.path.as_path())
}

/// Refuses a pool.toml that has one disk at the places of two. What belongs to the other place is elsewhere,
/// and the disk would be in its own way.
pub(super) fn refuse_listed_twice(config: &Config) -> Result<(), Failure> {
    let mut seen: BTreeMap<(u64, u64), &DiskEntry> = BTreeMap::new();
    let listed = config.disks.iter().filter(|disk| disk.whereabouts != Whereabouts::Displaced);
    let twice = listed.into_iter().find_map(|second| {
        let file = fs::metadata(config.path_of(second)).ok()?;
        seen.insert((file.dev(), file.ino()), second).map(|first| (first, second))
    });
    let Some((first, second)) = twice else { return Ok(()) };
    let path = config.path_of(first);
    let message = format!(
        "pool.toml lists the same disk twice, as {} and as {}: {}",
        first.name,
        second.name,
        path.shown()
    );
    let there = Found::at(&path);
    let found = in_usual_places(config);
    let elsewhere = [first, second].into_iter().find_map(|entry| {
        let is_it = there.as_ref().is_some_and(|there| entry.id == Some(there.id()));
        let path = of_member(&found, entry.id.as_deref(), entry.member?).filter(|_| !is_it)?;
        Some(format!("`dynamicfs disk online {} {}` lists it where it is", entry.name, path.typed()))
    });
    let hint = elsewhere.unwrap_or_else(|| {
        let import = import_of(Some(&config.pool), &config.folder);
        format!("`{import}` lists what is found, and leaves the other place out")
    });
    Err(Failure::new(Code::BadPool, message).hint(hint))
}

/// Of the paths and the folder those that this user may not look at, and why.
pub(crate) fn refused(folder: Option<&Path>, paths: &[PathBuf]) -> Vec<String> {
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let folders = folder.into_iter().filter_map(|folder| Some((folder, fs::read_dir(folder).err()?)));
    let files = paths.iter().filter_map(|path| Some((path.as_path(), Labels::read(path).err()?)));
    let denied = folders.chain(files).filter(|(_, error)| is_denied(error));
    denied.map(|(path, _)| format!("{}: permission denied", path.shown())).collect()
}

/// Files and devices in a folder and below it, links to them included.
pub(crate) fn scan(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    fs::read_dir(folder)
        .map_err(|error| Failure::host(format_args!("read the folder {}", folder.shown()), &error))?;
    Ok(files_in(folder, SCAN_DEPTH).collect())
}

fn files_in(folder: &Path, depth: usize) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = WalkDir::new(folder).max_depth(depth).sort_by_file_name().into_iter().flatten();
    entries.filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path)
}

/// The disks of pools at these paths, by pool. A disk under several names is found once; two disks that say
/// that they are the same are refused.
pub(crate) fn by_pool(paths: &[PathBuf]) -> Result<BTreeMap<String, Vec<Found>>, Failure> {
    let mut pools: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for found in paths.iter().filter_map(|path| Found::at(path)) {
        let disks = pools.entry(found.pool_id()).or_default();
        let Some(twin) = disks.iter().find(|other| other.disk.disk == found.disk.disk) else {
            disks.push(found);
            continue;
        };
        let storages = [&twin.path, &found.path].map(|path| Storage::of(path));
        if let [Ok(first), Ok(second)] = &storages
            && !first.overlaps(second)
        {
            let message = format!(
                "{} and {} carry the same identity, one is a copy of the other",
                twin.path.shown(),
                found.path.shown()
            );
            return Err(Failure::new(Code::Cloned, message).hint("name the disks that are meant with --disk"));
        }
    }
    pools.values_mut().for_each(|disks| disks.sort_by_key(|found| found.disk.member.0));
    Ok(pools)
}

/// The pool of the disks at these paths, which the command line lists in place of a pool.toml.
pub(crate) fn of_given(paths: &[PathBuf]) -> Result<Config, Failure> {
    for path in paths {
        Labels::read(path)
            .map_err(|error| Failure::host(format_args!("read {}", path.shown()), &error))?
            .identity()
            .ok_or_else(|| {
                Failure::new(Code::BadPool, format!("{} has no label of a pool", path.shown()))
                    .hint(format!("see what is on it with `dynamicfs labels --disk {}`", path.typed()))
            })?;
    }
    let mut pools = by_pool(paths)?.into_iter();
    match (pools.next(), pools.next()) {
        (Some((pool, disks)), None) => {
            let mut config = Config::new(PathBuf::new(), pool, Vec::new());
            disks.iter().try_for_each(|found| found.entry(&mut config, None))?;
            Ok(config)
        }
        (first, second) => {
            let [first, second] = [first, second].map(|pool| pool.map_or_else(String::new, |(pool, _)| pool));
            Err(Failure::new(Code::BadPool, format!("the disks are of several pools: {first} and {second}"))
                .hint("name the disks of one pool; `dynamicfs labels` shows the pool of each"))
        }
    }
}

/// Finds the disks of a pool that are not where its pool.toml says. They may be at the places of others, if
/// names were exchanged, or, if they are devices, wherever they are attached now.
///
/// A file that moved is not searched for. Another file with the same label may be a copy, and must stay one.
pub(super) fn find_moved(config: &mut Config) {
    let labels: Vec<Option<Found>> =
        config.disks.iter().map(|disk| Found::at(&config.path_of(disk))).collect();
    let is_at = |found: &Option<Found>, id: &Option<String>| {
        found.as_ref().is_some_and(|found| Some(found.id()) == *id)
    };
    let is_away = |place: usize| {
        let disk = &config.disks[place];
        disk.id.is_some() && !disk.adding && !is_at(&labels[place], &disk.id)
    };
    let away: Vec<usize> = (0..labels.len()).filter(|&place| is_away(place)).collect();
    let is_device = |place: usize| config.disks[place].path.starts_with("/dev");
    let mut attached: Option<Vec<Found>> = None;
    let mut found = Vec::new();
    for &place in &away {
        let id = &config.disks[place].id;
        let listed = away
            .iter()
            .find(|&&other| is_at(&labels[other], id))
            .map(|&other| config.path_of(&config.disks[other]));
        let path = listed.or_else(|| {
            let paths = || devices::block_devices().iter().filter_map(|path| Found::at(path)).collect();
            let attached = is_device(place).then(|| attached.get_or_insert_with(paths))?;
            let mut same = attached.iter().filter(|found| Some(found.id()) == *id);
            // Of two that say that they are the same none is chosen.
            same.next().filter(|_| same.next().is_none()).map(|found| devices::stable_path(&found.path))
        });
        found.push(path);
    }
    for (&place, path) in away.iter().zip(&found) {
        // What is there is in use as another disk of the list.
        let is_taken =
            found.iter().flatten().any(|other| *other == config.folder.join(&config.disks[place].path));
        config.disks[place].whereabouts = match path {
            Some(path) => Whereabouts::MovedTo(path.clone()),
            None if is_taken => Whereabouts::Displaced,
            None => Whereabouts::AsListed,
        };
    }
}
