//! `get`: out of the pool, into files of this machine.
//!
//! A file appears under its name when it is complete. What reading found damaged is rewritten afterwards.
//!
//! ```text
//! fetcher.rs  one thing after the other, down into directories and up again
//! place.rs    what may be where something is to be put
//! ```

mod fetcher;
mod place;

use super::cat;
use super::filter::{Filter, FilterOptions};
use super::transfer::Transfer;
use crate::app::App;
use crate::host::descent::Descent;
use crate::host::folder::split;
use crate::host::look::Look;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::glob;
use crate::pool::mend::Damaged;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::Session;
use crate::pool::tree::walk;
use fetcher::Fetcher;
use place::Guard;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to fetch, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Files in the pool, or directories with -r, then the destination: a name or a folder, by default `.`; -
    /// for standard output
    #[arg(required = true, value_name = "PATH... [DEST]")]
    paths: Vec<OsString>,
    /// Fetch directories with all their contents
    #[arg(short, long)]
    recursive: bool,
    /// Also replace symbolic links by files, and files that are disks or the pool.toml of another pool
    #[arg(long)]
    overwrite: bool,
    /// Fail if an attribute cannot be set: the owner, the mode, times, an extended attribute
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    filter: FilterOptions,
}

impl Options {
    /// What is fetched, and where to.
    fn split(&self) -> Result<(Vec<PoolPath>, &Path), Failure> {
        let (dest, paths) = match self.paths.split_last() {
            Some((dest, paths)) if !paths.is_empty() => (Path::new(dest), paths),
            _ => (Path::new("."), self.paths.as_slice()),
        };
        Ok((PoolPath::all(paths)?, dest))
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let (paths, dest) = options.split()?;
    if dest.as_os_str() == "-" {
        return cat::run_on(app, &paths);
    }
    let filter = options.filter.compile()?;
    let started = Instant::now();
    let mut transfer = Transfer { strict: options.strict, ..Transfer::new(app, "fetched") };
    let mut damaged = Damaged::default();
    let ended = with_pool(app, Access::Read, |session| {
        let paths = glob::expand_all(&mut session.pool, &paths)?;
        let several = paths.len() > 1;
        for path in &paths {
            match fetch(app, session, (path, dest), options, &filter, (&mut transfer, &mut damaged)) {
                Err(failure) if several && failure.code() != Code::Interrupted => {
                    transfer.fail(path, &failure)
                }
                done => done?,
            }
        }
        Ok(())
    });
    damaged.mend(app);
    transfer.finish(app, started, ended)
}

fn fetch(
    app: &App,
    session: &mut Session<'_>,
    (path, dest): (&PoolPath, &Path),
    options: &Options,
    filter: &Filter,
    done: (&mut Transfer, &mut Damaged),
) -> Result<(), Failure> {
    // What is fetched with all that is in it keeps its links; one thing is what its name leads to.
    let node = path::find(&mut session.pool, path, !options.recursive)?;
    if node.is_directory() && !options.recursive {
        return Err(Failure::new(Code::IsADirectory, format!("{path} is a directory"))
            .hint("add -r to fetch it with all that is in it"));
    }
    let several = options.paths.len() > 2;
    let (folder, name) = target(path, &node, dest, several)?;
    let descent = Descent::open(&folder)
        .map_err(|error| Failure::host(format_args!("open the folder {}", folder.shown()), &error))?;
    let total = if node.is_directory() { session.pool.health().content_bytes } else { node.inode.size };
    let total = (!node.is_directory() || path.name().is_none() && filter.takes_all()).then_some(total);
    let mut fetcher = Fetcher::new(
        descent,
        name,
        path,
        done,
        Progress::new(&app.out, "fetching", Unit::Bytes, total),
        Guard::new(session, options.overwrite),
        filter,
    );
    walk(&mut session.pool, path, node, &mut |contents, visit| fetcher.visit(contents, visit))
}

/// The folder that something goes into, and its name there; without one it is what goes into the folder.
fn target(
    path: &PoolPath,
    node: &Node,
    dest: &Path,
    several: bool,
) -> Result<(PathBuf, Option<OsString>), Failure> {
    let is_folder = Look::of_path(dest, true).is_ok_and(|look| look.is_folder());
    let shown = dest.shown();
    if is_folder {
        return Ok((dest.to_owned(), path.name().map(|name| OsStr::from_bytes(name).to_owned())));
    }
    let as_folder = several || !node.is_directory() && dest.as_os_str().as_bytes().ends_with(b"/");
    match split(dest) {
        _ if as_folder => Err(Failure::new(Code::NotADirectory, format!("{shown} is not a folder"))
            .hint(format!("make it first, with `mkdir -p {shown}`"))),
        Some((folder, name)) => Ok((folder.to_owned(), Some(name.to_owned()))),
        None => Err(Failure::new(Code::NotFound, format!("{shown} is not an existing folder"))
            .hint("name a file or a folder")),
    }
}
