//! `pool.toml`: where the pool's disks are. The labels on the disks are the truth; this only says where to look.

use super::condition::ThresholdEntry;
use super::{discover, lost, wait};
use crate::app::App;
use crate::host::activity::{self, Told};
use crate::host::signature::Signature;
use crate::host::storage::read_text;
use crate::host::whole_file;
use crate::output::failure::{Code, Failure};
use crate::output::names;
use crate::output::names::ShowPath;
use dynamicfs_core::inspect::DiskIdentity;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::iter;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FolderLock, OpenError};

/// The file's name in the pool's folder.
pub(crate) const FILE: &str = "pool.toml";

/// The folder of file-backed disks in the pool's folder.
pub(crate) const DISKS: &str = "disks";

const VERSION: u32 = 1;

/// Bytes of a sector, as far as a disk can be told to have them.
const SECTOR_BYTES: RangeInclusive<u32> = 512..=16384;

const HEAD: &str = "\
# Where the disks of this pool are. The labels on the disks are the truth: this file only says where to look.
# `dynamicfs labels` shows what the disks themselves say.
";

/// What `pool.toml` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    version: u32,
    /// The pool's identity.
    pub(crate) pool: String,
    /// What the pool is called on this machine, where that is not the folder's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// From how many errors on a disk is no longer relied on, where that is not as it is by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thresholds: Option<ThresholdEntry>,
    #[serde(rename = "disk")]
    pub(crate) disks: Vec<DiskEntry>,
    /// The pool's folder.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// The lock of a command that may change the file.
    #[serde(skip)]
    _lock: Option<Arc<OwnFolder>>,
}

/// The pool's folder, for this process alone. What it does is told as long as it has the lock.
#[derive(Debug)]
struct OwnFolder {
    _told: Told,
    _lock: FolderLock,
}

/// Where one disk is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiskEntry {
    /// What the disk is called here.
    pub(crate) name: String,
    /// Where it is; relative paths begin at the pool's folder.
    pub(crate) path: PathBuf,
    /// The disk that was there when the pool was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// The number of that disk in the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<u16>,
    /// Bytes of a sector, where they are not the medium's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sector: Option<u32>,
    /// It is becoming a member: what is there may have no label yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) adding: bool,
    /// The number that it is given when it becomes a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) joins: Option<u16>,
    /// It is becoming a witness.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) witness: bool,
    /// The number of the member whose place it is to take, until what that held is on other disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<u16>,
    /// What is on a disk that is becoming a member, and is wiped with the first write to it.
    #[serde(skip)]
    pub(crate) foreign: Vec<Signature>,
    /// Where the disk is, if that is not where the file says.
    #[serde(skip)]
    pub(crate) whereabouts: Whereabouts,
    /// The command takes it out of use: that it takes no writes is no obstacle.
    #[serde(skip)]
    pub(crate) given_up: bool,
}

/// Where the disk of an entry is, as the labels say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Where pool.toml says, or not found.
    #[default]
    AsListed,
    /// Elsewhere.
    MovedTo(PathBuf),
    /// Not found, and another disk of the pool is where it should be.
    Displaced,
}

impl Config {
    pub(crate) const fn new(folder: PathBuf, pool: String, disks: Vec<DiskEntry>) -> Self {
        Self { version: VERSION, pool, name: None, thresholds: None, disks, folder, _lock: None }
    }

    /// Reads the configuration of the pool that the arguments name, and finds the disks that are not where it
    /// says.
    pub(crate) fn load(app: &App) -> Result<Self, Failure> {
        let mut config = match app.global.disk.is_empty() {
            true => Self::read(folder(app)?)?,
            false => discover::of_given(&app.global.disk)?,
        };
        discover::find_moved(&mut config);
        Ok(config)
    }

    /// Reads a list of disks under another name than pool.toml.
    pub(crate) fn read_list(path: &Path) -> io::Result<Self> {
        toml::from_str(&read_text(path)?).map_err(io::Error::other)
    }

    /// Reads the pool.toml of a folder.
    pub(crate) fn read(folder: PathBuf) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let bad = |why: String| {
            Failure::new(Code::BadPool, format!("{} is not right: {why}", path.shown())).hint(format!(
                "correct it, or write it anew with `{}`, which keeps this one",
                discover::import_again(&folder)
            ))
        };
        let text = read_text(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Failure::new(Code::NoPool, format!("{} holds no pool: there is no {FILE}", folder.shown()))
                    .hint(lost::hint(&folder))
            }
            io::ErrorKind::NotADirectory => {
                Failure::new(Code::NoPool, format!("{} is not a folder", folder.shown()))
                    .hint("name the pool's folder with --pool, or its disks with --disk PATH...")
            }
            io::ErrorKind::InvalidData => bad("it is not UTF-8 text".to_owned()),
            io::ErrorKind::InvalidInput => bad(error.to_string()),
            _ => Failure::host(format_args!("read {}", path.shown()), &error),
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let line = error.span().and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            bad(line + &names::show(error.message().as_bytes()))
        })?;
        if config.version != VERSION {
            return Err(bad(format!("it has version {}, this program knows {VERSION}", config.version)));
        }
        config.check_names().map_err(bad)?;
        config.check_sectors().map_err(bad)?;
        config.folder = folder;
        Ok(config)
    }

    /// Whether the sectors can be as large as it says.
    fn check_sectors(&self) -> Result<(), String> {
        let mut sectors = self.disks.iter().filter_map(|disk| Some((&disk.name, disk.sector?)));
        let is_wrong = |sector: u32| !sector.is_power_of_two() || !SECTOR_BYTES.contains(&sector);
        match sectors.find(|&(_, sector)| is_wrong(sector)) {
            Some((name, sector)) => Err(format!(
                "the `sector` of {name} is {sector}, and has to be a power of two from {} to {}; without it the disk's own is taken",
                SECTOR_BYTES.start(),
                SECTOR_BYTES.end()
            )),
            None => Ok(()),
        }
    }

    /// Whether each disk has a name of its own, which can be shown and typed.
    fn check_names(&self) -> Result<(), String> {
        for (number, disk) in self.disks.iter().enumerate() {
            if names::printable(disk.name.as_bytes()) != disk.name {
                let shown = names::show(disk.name.as_bytes());
                return Err(format!(
                    "`{shown}` cannot be the name of a disk: it is empty, or has spaces or control characters"
                ));
            }
            if self.disks[..number].iter().any(|other| other.name == disk.name) {
                return Err(format!("two disks are called `{}`", disk.name));
            }
        }
        Ok(())
    }

    /// The same, and nothing else changes the file as long as this value or a copy of it lives. So no command
    /// writes back what it read before another one changed it. A dry run changes nothing, and takes no lock.
    pub(crate) fn load_to_change(app: &App) -> Result<Self, Failure> {
        if app.global.dry_run || !app.global.disk.is_empty() {
            return Self::load(app);
        }
        let folder = folder(app)?;
        let lock = wait::patiently(app, || lock(&folder))?;
        let config = Self::load(app)?;
        let own = lock.map(|lock| OwnFolder { _told: activity::publish(&folder), _lock: lock });
        Ok(Self { _lock: own.map(Arc::new), ..config })
    }

    /// The same, after a disk has become a member: where the disks are named alone, it is one of them.
    pub(crate) fn load_to_change_with(app: &App, new: &Path) -> Result<Self, Failure> {
        if app.global.disk.is_empty() {
            return Self::load_to_change(app);
        }
        let mut paths = app.global.disk.clone();
        if !paths.iter().any(|path| is_same(path, new)) {
            paths.push(new.to_owned());
        }
        let mut config = discover::of_given(&paths)?;
        discover::find_moved(&mut config);
        Ok(config)
    }

    /// Whether this is a pool.toml.
    pub(crate) fn is_one(path: &Path) -> bool {
        let is_named_so = path.file_name().is_some_and(|name| name == FILE);
        is_named_so && read_text(path).is_ok_and(|text| toml::from_str::<Self>(&text).is_ok())
    }

    /// The place of the entry of a disk, by its identity; an entry without one goes by the member's number.
    pub(crate) fn place_of(&self, disk: &DiskIdentity) -> Option<usize> {
        let id = disk.disk.to_string();
        let is_it = |entry: &DiskEntry| {
            entry.id.as_ref().map_or(entry.member == Some(disk.member.0), |listed| *listed == id)
        };
        self.disks.iter().position(is_it)
    }

    /// As [`load_to_change`](Self::load_to_change), for a command that takes this disk out of use.
    pub(crate) fn load_to_give_up(app: &App, disk: &str) -> Result<Self, Failure> {
        let mut config = Self::load_to_change(app)?;
        let is_meant = |entry: &DiskEntry| {
            let number = entry.member.map(|member| member.to_string());
            entry.name == disk
                || entry.id.as_deref() == Some(disk)
                || number.as_deref() == Some(disk)
                || is_same(&config.path_of(entry), Path::new(disk))
        };
        if let Some(place) = config.disks.iter().position(is_meant) {
            config.disks[place].given_up = true;
        }
        Ok(config)
    }

    /// As [`load_to_change`](Self::load_to_change), for names, which are kept in the file alone.
    pub(crate) fn load_to_rename(app: &App) -> Result<Self, Failure> {
        let config = Self::load_to_change(app)?;
        match config.has_folder() {
            true => Ok(config),
            false => {
                Err(Failure::new(Code::Usage, "names are kept in the pool's folder, and none was named")
                    .hint("add --pool PATH"))
            }
        }
    }

    /// Notes that there is a disk, under a name that no other has; its place.
    pub(crate) fn list(&mut self, name: &str, path: PathBuf, sector: Option<u32>) -> usize {
        let is_free = |name: &String| !self.disks.iter().any(|disk| disk.name == *name);
        let name = match is_role(name) {
            true => (self.disks.len()..).map(|number| format!("disk-{number}")).find(is_free),
            false => iter::once(name.to_owned())
                .chain((1..).map(|number| format!("{name}.{number}")))
                .find(is_free),
        };
        let name = name.expect("there are more numbers than disks");
        self.disks.push(DiskEntry { name, path, sector, ..DiskEntry::default() });
        self.disks.len() - 1
    }

    /// Where a disk is.
    pub(crate) fn path_of(&self, entry: &DiskEntry) -> PathBuf {
        match &entry.whereabouts {
            Whereabouts::MovedTo(path) => path.clone(),
            _ => self.folder.join(&entry.path),
        }
    }

    /// A path as the file has it: one in the pool's folder goes along with that.
    pub(crate) fn shortened(&self, path: PathBuf) -> PathBuf {
        let path = std::path::absolute(&path).unwrap_or(path);
        let folder = std::path::absolute(&self.folder);
        let inside = folder.ok().and_then(|folder| path.strip_prefix(folder).ok().map(ToOwned::to_owned));
        inside.filter(|inside| !inside.as_os_str().is_empty()).unwrap_or(path)
    }

    /// What the pool is called: by its own name, else by its folder's, else by its identity.
    pub(crate) fn shown_name(&self) -> String {
        let folder = self.folder.file_name().map(|name| names::show(name.as_bytes()));
        self.name.clone().or(folder).unwrap_or_else(|| self.pool.clone())
    }

    /// Whether the disks are listed in a file, and not on the command line.
    pub(crate) fn has_folder(&self) -> bool {
        !self.folder.as_os_str().is_empty()
    }

    /// Writes the file: after a crash it is the old one or the new one. Where the disks were listed on the
    /// command line there is none.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        if !self.has_folder() {
            return Ok(());
        }
        self.save_as(FILE)
    }

    /// As [`save`](Self::save), under another name.
    pub(crate) fn save_as(&self, name: &str) -> Result<(), Failure> {
        let path = self.folder.join(name);
        self.write(&path).map_err(|error| Failure::host(format_args!("write {}", path.shown()), &error))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        whole_file::replace(path, |file| {
            file.write_all(HEAD.as_bytes())?;
            file.write_all(text.as_bytes())?;
            // As it was.
            if let Ok(old) = fs::metadata(path) {
                // Where this user may not: another user with write access to the folder takes it over.
                let _ = fchown(&*file, Some(old.uid()), Some(old.gid()));
                file.set_permissions(old.permissions())?;
            }
            file.sync_all()
        })?;
        std_host_shim::sync_parent_directory(path)
    }
}

/// Takes the lock on a pool's folder, if there is one.
pub(crate) fn lock(folder: &Path) -> Result<Option<FolderLock>, Failure> {
    FolderLock::take(folder).map_err(|error| match error {
        OpenError::Busy { pid } => wait::busy(folder, format_args!("the pool in {}", folder.shown()), pid),
        other => Failure::new(Code::Host, other.to_string()),
    })
}

/// The list of the disks of a pool that is being made, in its folder until there is a pool.toml.
pub(crate) const UNFINISHED: &str = "pool.toml.unfinished";

/// Takes that list away. One that stays does no harm where there is a pool.toml.
pub(crate) fn remove_unfinished(folder: &Path) {
    let _ = fs::remove_file(folder.join(UNFINISHED));
}

/// Whether this says what a disk is for, as `spare-0` does: it would stay when the spare has taken a place.
fn is_role(name: &str) -> bool {
    name.strip_prefix("spare").is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
}

/// What a disk at this path is called.
pub(crate) fn name_of(path: &Path) -> String {
    names::printable(path.file_stem().unwrap_or_default().as_bytes())
}

/// A path that does not depend on where the program was started.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::host(format_args!("find {}", path.shown()), &error))
}

/// Whether both paths lead to the same file or device. Of what is not there the paths decide.
pub(crate) fn is_same(first: &Path, second: &Path) -> bool {
    resolved(first) == resolved(second)
}

/// A path without links, `.` and `..`, as it will be when what is missing of it was made.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, mut resolved)) = there else { return path.clone() };
    for component in path.strip_prefix(above).unwrap_or(path).components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    resolved
}

/// The folder that the arguments name.
pub(crate) fn folder(app: &App) -> Result<PathBuf, Failure> {
    app.global.pool.clone().ok_or_else(|| {
        Failure::new(Code::Usage, "no pool was named").hint("add --pool PATH, or set DYNAMICFS_POOL")
    })
}
