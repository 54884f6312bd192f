//! `pool.toml`: where the pool's disks are. The labels on the disks are the truth; this only says where to look.

use super::condition::ThresholdEntry;
use super::lost;
use crate::app::App;
use crate::host::signature::Signature;
use crate::output::failure::{Code, Failure};
use crate::output::names;
use crate::output::names::ShowPath;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std_host_shim::{FolderLock, OpenError};

/// The file's name in the pool's folder.
pub(crate) const FILE: &str = "pool.toml";

/// The folder of file-backed disks in the pool's folder.
pub(crate) const DISKS: &str = "disks";

const VERSION: u32 = 1;

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
    /// From how many errors on a disk is no longer relied on, where that is not as it is by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thresholds: Option<ThresholdEntry>,
    #[serde(rename = "disk")]
    pub(crate) disks: Vec<DiskEntry>,
    /// The pool's folder.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// Held by what may change the file.
    #[serde(skip)]
    _lock: Option<Arc<FolderLock>>,
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
    /// The number of the member whose place it is to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<u16>,
    /// What is on a disk that is becoming a member, and is wiped with the first write to it.
    #[serde(skip)]
    pub(crate) foreign: Vec<Signature>,
}

impl Config {
    pub(crate) const fn new(folder: PathBuf, pool: String, disks: Vec<DiskEntry>) -> Self {
        Self { version: VERSION, pool, thresholds: None, disks, folder, _lock: None }
    }

    /// Reads the configuration of the pool that the arguments name.
    pub(crate) fn load(app: &App) -> Result<Self, Failure> {
        let folder = folder(app)?;
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Failure::new(Code::NoPool, format!("{} holds no pool: there is no {FILE}", folder.shown()))
                    .hint(lost::hint(&folder))
            }
            _ => Failure::host(format_args!("read {}", path.shown()), &error),
        })?;
        let bad = |why: String| {
            Failure::new(Code::BadPool, format!("{} is not right: {why}", path.shown()))
                .hint("list each disk as [[disk]] with its `name` and `path`; `dynamicfs labels --disk PATH` tells which is which")
        };
        let mut config: Self =
            toml::from_str(&text).map_err(|error| bad(names::show(error.message().as_bytes())))?;
        if config.version != VERSION {
            return Err(bad(format!("it has version {}, this program knows {VERSION}", config.version)));
        }
        config.check_names().map_err(bad)?;
        config.folder = folder;
        Ok(config)
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
    /// writes back what it read before another one changed it.
    pub(crate) fn load_to_change(app: &App) -> Result<Self, Failure> {
        let lock = lock(&folder(app)?)?;
        Ok(Self { _lock: lock.map(Arc::new), ..Self::load(app)? })
    }

    /// Whether this is a pool.toml.
    pub(crate) fn is_one(path: &Path) -> bool {
        let is_named_so = path.file_name().is_some_and(|name| name == FILE);
        is_named_so && fs::read_to_string(path).is_ok_and(|text| toml::from_str::<Self>(&text).is_ok())
    }

    /// Notes that there is a disk, under a name that no other has; its place.
    pub(crate) fn list(&mut self, name: &str, path: PathBuf, sector: Option<u32>) -> usize {
        let is_taken = |name: &str| self.disks.iter().any(|disk| disk.name == name);
        let mut names = (1..).map(|number| format!("{name}.{number}"));
        let name =
            if is_taken(name) { names.find(|name| !is_taken(name)) } else { None }.unwrap_or(name.to_owned());
        self.disks.push(DiskEntry { name, path, sector, ..DiskEntry::default() });
        self.disks.len() - 1
    }

    /// Where a disk is.
    pub(crate) fn path_of(&self, entry: &DiskEntry) -> PathBuf {
        self.folder.join(&entry.path)
    }

    /// Writes the file: after a crash it is the old one or the new one.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = self.folder.join(FILE);
        self.write(&path).map_err(|error| Failure::host(format_args!("write {}", path.shown()), &error))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        // As it was; a new one is its owner's alone, as a temporary file is.
        if let Ok(old) = fs::metadata(path) {
            // Where this user may not: another one, who may write in the folder, takes it over.
            let _ = fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
            file.as_file().set_permissions(old.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        std_host_shim::sync_parent_directory(path)
    }
}

/// Takes the lock on a pool's folder, if there is one.
fn lock(folder: &Path) -> Result<Option<FolderLock>, Failure> {
    FolderLock::take(folder).map_err(|error| match error {
        OpenError::Busy { pid } => Failure::in_use(format_args!("the pool in {}", folder.shown()), pid)
            .hint("wait until it has finished, or stop it; one process at a time changes a pool"),
        other => Failure::new(Code::Host, other.to_string()),
    })
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
    match (first.canonicalize(), second.canonicalize()) {
        (Ok(first), Ok(second)) => first == second,
        _ => std::path::absolute(first).ok() == std::path::absolute(second).ok(),
    }
}

/// The folder that the arguments name.
pub(crate) fn folder(app: &App) -> Result<PathBuf, Failure> {
    app.global.pool.clone().ok_or_else(|| {
        Failure::new(Code::Usage, "no pool was named").hint("add --pool PATH, or set DYNAMICFS_POOL")
    })
}
