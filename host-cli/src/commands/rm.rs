//! `rm`: files and directories, in transactions of bounded size.

use super::transfer::{BATCH_FILES, Transfer};
use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::progress::{Progress, Unit};
use crate::pool::below;
use crate::pool::glob;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::Session;
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::types::ObjectId;
use std::collections::HashSet;
use std::ffi::OsString;
use std::time::Instant;

/// What to remove.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Files in the pool, or directories with -r; a name may be a pattern, as `*.txt`
    #[arg(required = true)]
    paths: Vec<OsString>,
    /// Remove directories with all their contents
    #[arg(short, long)]
    recursive: bool,
    /// Missing files are no failure
    #[arg(short, long)]
    force: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let paths = PoolPath::all(&options.paths)?;
    let mut transfer = Transfer::new(app, "removed");
    let ended = with_pool(app, Access::Write, |session| {
        let paths = expand(session, &paths, options.force)?;
        for path in &paths {
            let removed = match remove(app, session, path, options, &mut transfer, BATCH_FILES) {
                // To delete takes some space too: the little there is is made to do.
                Err(failure) if failure.code() == Code::NoSpaceBelow => {
                    remove(app, session, path, options, &mut transfer, TIGHT_FILES)
                }
                removed => removed,
            };
            match removed {
                Err(failure) if failure.code() == Code::NotFound && options.force => {}
                Err(failure) if matches!(failure.code(), Code::Interrupted | Code::NoSpaceBelow) => {
                    return Err(failure);
                }
                Err(failure) => transfer.fail(path, &failure),
                Ok(()) => {}
            }
        }
        Ok(())
    });
    transfer.finish(app, started, ended)
}

/// The paths that are meant; what is not there is none with `--force`.
fn expand(session: &mut Session<'_>, paths: &[PoolPath], force: bool) -> Result<Vec<PoolPath>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        match glob::expand(&mut session.pool, path) {
            Err(failure) if failure.code() == Code::NotFound && force => {}
            found => all.extend(found?),
        }
    }
    Ok(all)
}

/// Names that are removed in a transaction where the filesystem below the pool is full.
const TIGHT_FILES: u64 = 8;

/// A name that is to be removed.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) directory: ObjectId,
    pub(crate) name: Vec<u8>,
    kind: ObjectKind,
    bytes: u64,
}

fn remove(
    app: &App,
    session: &mut Session<'_>,
    path: &PoolPath,
    options: &Options,
    transfer: &mut Transfer,
    batch_files: u64,
) -> Result<(), Failure> {
    let (parent, _) = path.split()?;
    let node = path::find(&mut session.pool, path, false)?;
    if node.is_directory() && !options.recursive {
        return Err(
            Failure::object(Error::IsADirectory, path).hint("add -r to remove it with all that is in it")
        );
    }
    let directory = path::find_directory(&mut session.pool, &parent)?;
    let doomed = list(&mut session.pool, path, node, directory)?;
    let mut progress = Progress::new(&app.out, "removing", Unit::Things("names"), Some(doomed.len() as u64));
    for batch in doomed.chunks(batch_files as usize) {
        crate::host::interrupt::check()?;
        if batch_files == TIGHT_FILES {
            below::make_room(session);
        }
        if !transfer.dry_run {
            session.change(|contents| {
                for Doomed { directory, name, .. } in batch {
                    contents.unlink(*directory, name).map_err(|error| Failure::object(error, path))?;
                }
                Ok(())
            })?;
        }
        for doomed in batch {
            *match doomed.kind {
                ObjectKind::Directory => &mut transfer.directories,
                ObjectKind::Symlink => &mut transfer.symlinks,
                _ => &mut transfer.files,
            } += 1;
            transfer.bytes += doomed.bytes;
        }
        progress.advance(batch.len() as u64);
    }
    Ok(())
}

/// All names below what a directory has under a name, and that name.
pub(crate) fn doomed(
    contents: &mut impl ReadObjects,
    node: Node,
    (directory, name): (ObjectId, &[u8]),
) -> Result<Vec<Doomed>, Failure> {
    list(contents, &PoolPath::root().join(name), node, directory)
}

/// All names below something, and its own: what is in a directory before it.
fn list(
    contents: &mut impl ReadObjects,
    path: &PoolPath,
    node: Node,
    directory: ObjectId,
) -> Result<Vec<Doomed>, Failure> {
    let mut doomed = Vec::new();
    let mut above = vec![directory];
    // Contents of an object with several names count once.
    let mut counted = HashSet::new();
    walk(contents, path, node, &mut |_, visit| {
        let (at, node) = match visit {
            Visit::Enter(_, node) if node.is_directory() => {
                above.push(node.object);
                return Ok(true);
            }
            Visit::Enter(at, node) => (at, node),
            Visit::Leave(at, node) => {
                above.pop();
                (at, node)
            }
            Visit::Failed(_, failure) => return Err(failure),
        };
        let is_contents = node.inode.kind == ObjectKind::File && counted.insert(node.object);
        doomed.push(Doomed {
            directory: above.last().copied().unwrap_or(ObjectId::ROOT),
            name: at.name().unwrap_or_default().to_vec(),
            kind: node.inode.kind,
            bytes: if is_contents { node.inode.size } else { 0 },
        });
        Ok(true)
    })?;
    Ok(doomed)
}
