//! What an `init` left that was killed half-way: it had noted its disks before it made them.
//!
//! 1. The list is in the folder before the first disk is made or written to. Its name is not pool.toml.
//! 2. pool.toml is there, and then the list goes.
//!
//! A list without a pool.toml says so that no command had the pool yet, and which files can go.

use crate::app::App;
use crate::host::storage::open_to_look;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::config::{self, Config, DISKS, UNFINISHED};
use crate::pool::discover::{self, Found};
use crate::pool::histories::Survey;
use crate::pool::occupied::Occupant;
use std::fs;
use std::path::{Path, PathBuf};

/// Commits that making a pool takes; a pool with more of them has been used.
const COMMITS: u64 = 2;

/// What was left.
#[derive(Debug)]
pub(super) struct Remains {
    folder: PathBuf,
    /// Files that were made.
    files: Vec<PathBuf>,
    /// Disks that were given. What they hold may be of the pool that was not finished.
    given: Vec<PathBuf>,
}

impl Remains {
    /// Looks for them in a folder; refused where they have become a pool that was used.
    pub(super) fn find(app: &App, folder: &Path) -> Result<Option<Self>, Failure> {
        let Ok(listed) = Config::read_list(&folder.join(UNFINISHED)) else { return Ok(None) };
        let paths = || listed.disks.iter().map(|disk| folder.join(&disk.path));
        let found: Vec<Found> = paths().filter_map(|path| Found::at(&path)).collect();
        if let Some(first) = found.first() {
            let mut list = Config::new(folder.to_owned(), first.pool_id(), Vec::new());
            found.iter().try_for_each(|found| found.entry(&mut list, None))?;
            let histories = Survey::of(app, &list)?.histories();
            if histories.iter().any(|history| history.generation > COMMITS) {
                let message = format!("{} holds disks of a pool that was used", folder.shown());
                return Err(Failure::new(Code::InUse, message).hint(format!(
                    "list them again with `{}`, or name another folder",
                    discover::import_of(Some(&first.pool_id()), folder)
                )));
            }
        }
        let is_own = |path: &PathBuf| path.starts_with(folder.join(DISKS));
        let is_left = |path: &PathBuf| {
            open_to_look(path).is_ok() && !matches!(Occupant::of(path), Ok(Occupant::Foreign(_)))
        };
        let files = paths().filter(|path| is_own(path) && is_left(path)).collect();
        let given = paths().filter(|path| !is_own(path)).collect();
        Ok(Some(Self { folder: folder.to_owned(), files, given }))
    }

    /// Whether a disk is one of them.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.given.iter().any(|given| config::is_same(given, path))
    }

    /// Takes away what was made. Disks that were given stay as they are.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        for path in &self.files {
            fs::remove_file(path)
                .map_err(|error| Failure::host(format_args!("remove {}", path.shown()), &error))?;
        }
        let disks = self.folder.join(DISKS);
        if disks.is_dir() {
            fs::remove_dir(&disks).map_err(|error| {
                Failure::host(format_args!("remove the folder {}", disks.shown()), &error)
                    .hint("it holds something else, too: take that away, or name another folder with --pool")
            })?;
        }
        config::remove_unfinished(&self.folder);
        Ok(())
    }
}
