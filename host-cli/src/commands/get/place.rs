//! What may be where something from the pool is to be put.

use crate::host::folder::Folder;
use crate::host::look::{Identity, Look};
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::occupied::belongs_to_a_pool;
use crate::pool::path::PoolPath;
use crate::pool::session::Session;
use dynamicfs_core::files::ObjectKind;
use rustix::fs::FileType;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;

/// Keeps what a command writes from what it must not replace.
#[derive(Debug)]
pub(crate) struct Guard {
    /// What the pool itself is stored in, its list and its records of what happened among it.
    own: HashSet<Identity>,
    overwrite: bool,
}

impl Guard {
    pub(crate) fn new(session: &Session<'_>, overwrite: bool) -> Self {
        let config = &session.config;
        let disks = config.disks.iter().map(|disk| config.path_of(disk));
        let own_files = std::fs::read_dir(&config.folder).into_iter().flatten().flatten();
        let files = disks.chain(own_files.map(|entry| entry.path()));
        let own = files.filter_map(|path| Look::of_path(&path, true).ok()).map(|look| look.identity);
        Self { own: own.collect(), overwrite }
    }

    /// Refuses to replace a file that must stay. Nothing is written through a link, a device or a pipe, nor
    /// in the place of one.
    pub(crate) fn check(
        &self,
        here: &Folder,
        (name, dest): (&OsStr, &Path),
        (from, kind): (&PoolPath, ObjectKind),
    ) -> Result<(), Failure> {
        let there = here.look_if_any(name);
        let there = there.map_err(|error| Failure::host(format_args!("look at {}", dest.shown()), &error))?;
        let Some(there) = there else { return Ok(()) };
        let shown = dest.shown();
        let refused = |what: &str| Failure::new(Code::InUse, format!("{shown} {what}, and is not replaced"));
        match there.kind {
            FileType::RegularFile if self.own.contains(&there.identity) => {
                Err(refused("belongs to the pool that is read").hint("name another place"))
            }
            FileType::RegularFile if self.overwrite => Ok(()),
            FileType::RegularFile => match belongs_to_a_pool(&here.short_path(name)) {
                None => Ok(()),
                Some(what) => Err(refused(what).hint(
                    "name another place; --overwrite replaces it, as in an earlier copy of the same files",
                )),
            },
            FileType::Symlink if kind == ObjectKind::Symlink || self.overwrite => Ok(()),
            FileType::Symlink => Err(refused("is a symbolic link").hint(
                "name what it leads to, or another place; --overwrite puts a file in the link's place",
            )),
            FileType::Directory => Err(Failure::new(Code::IsADirectory, format!("{shown} is a folder"))
                .hint("remove it, or name another place")),
            _ => {
                let what = format!("is {}", there.what());
                Err(refused(&what).hint(format!(
                    "`dynamicfs cat {} > {}` writes into it",
                    from.typed(),
                    dest.typed()
                )))
            }
        }
    }
}
