//! `get`: out of the pool, into files of this machine.
//!
//! A file appears under its name when it is complete. What reading found damaged is rewritten afterwards.

use super::cat;
use super::transfer::{BUFFER_BYTES, Transfer};
use crate::app::App;
use crate::host::target::{make_folder, make_link, make_symlink, unfinished};
use crate::host::{attributes, interrupt};
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::mend::Damaged;
use crate::pool::occupied::refuse_replacing;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::{Contents, Session};
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::error::Error;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::types::ObjectId;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to fetch, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file in the pool, or a directory with -r
    path: OsString,
    /// Where to; into it if it is a folder; - for standard output
    #[arg(default_value = ".")]
    dest: PathBuf,
    /// Fetch a directory and all that is in it
    #[arg(short, long)]
    recursive: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let path = PoolPath::new(&options.path)?;
    if options.dest.as_os_str() == "-" {
        let mut damaged = Damaged::default();
        let printed = with_pool(app, Access::Read, |session| {
            let node = path::find(&mut session.pool, &path, true)?;
            let print = |contents: &mut Contents<'_>| cat::print(contents, &path, &node);
            damaged.noting(&mut session.pool, node.object, print)?;
            Ok(Exit::Done)
        });
        damaged.mend(app);
        return printed;
    }
    let started = Instant::now();
    let mut transfer = Transfer::new(app, "fetched");
    let mut damaged = Damaged::default();
    let ended = with_pool(app, Access::Read, |session| {
        fetch(app, session, &path, options, (&mut transfer, &mut damaged))
    });
    damaged.mend(app);
    transfer.finish(app, started, ended)
}

fn fetch(
    app: &App,
    session: &mut Session<'_>,
    path: &PoolPath,
    options: &Options,
    (transfer, damaged): (&mut Transfer, &mut Damaged),
) -> Result<(), Failure> {
    // What is fetched with all that is in it keeps its links; one thing is what its name leads to.
    let node = path::find(&mut session.pool, path, !options.recursive)?;
    if node.is_directory() && !options.recursive {
        return Err(Failure::new(Code::IsADirectory, format!("{path} is a directory"))
            .hint("add -r to fetch it with all that is in it"));
    }
    let dest = match path.name() {
        Some(name) if options.dest.is_dir() => options.dest.join(OsStr::from_bytes(name)),
        _ => options.dest.clone(),
    };
    let total = if node.is_directory() { session.pool.health().content_bytes } else { node.inode.size };
    let total = (!node.is_directory() || path.name().is_none()).then_some(total);
    let mut fetcher = Fetcher {
        dest,
        from: path.clone(),
        transfer,
        damaged,
        progress: Progress::new(&app.out, "fetching", Unit::Bytes, total),
        links: HashMap::new(),
        buffer: Vec::new(),
    };
    walk(&mut session.pool, path, node, &mut |contents, visit| fetcher.visit(contents, visit))
}

struct Fetcher<'t> {
    /// Where what is fetched goes.
    dest: PathBuf,
    /// What is fetched.
    from: PoolPath,
    transfer: &'t mut Transfer,
    damaged: &'t mut Damaged,
    progress: Progress,
    /// Where objects with several names were put.
    links: HashMap<ObjectId, PathBuf>,
    buffer: Vec<u8>,
}

impl Fetcher<'_> {
    fn visit(&mut self, contents: &mut Contents<'_>, visit: Visit<'_>) -> Result<bool, Failure> {
        let (path, done) = match visit {
            Visit::Enter(path, node) => (path, self.enter(contents, path, node)),
            Visit::Leave(path, node) => (path, self.leave(contents, path, node).map(|()| true)),
            Visit::Failed(path, failure) => (path, Err(failure)),
        };
        match done {
            Err(failure) if failure.code() == Code::Interrupted => Err(failure),
            Err(failure) => {
                self.progress.aside(|| self.transfer.fail(path, &failure));
                Ok(false)
            }
            done => done,
        }
    }

    /// Where something below what is fetched goes.
    fn dest_of(&self, path: &PoolPath) -> PathBuf {
        let below = path.as_bytes().get(self.from.as_bytes().len()..).unwrap_or_default();
        let below = below.strip_prefix(b"/").unwrap_or(below);
        if below.is_empty() { self.dest.clone() } else { self.dest.join(OsStr::from_bytes(below)) }
    }

    fn enter(&mut self, contents: &mut Contents<'_>, path: &PoolPath, node: &Node) -> Result<bool, Failure> {
        let dest = self.dest_of(path);
        let (count, bytes) = match node.inode.kind {
            ObjectKind::Directory => (&mut self.transfer.directories, 0),
            ObjectKind::Symlink => (&mut self.transfer.symlinks, 0),
            ObjectKind::File => (&mut self.transfer.files, node.inode.size),
            _ => {
                self.transfer.skipped.push(path.to_string());
                return Ok(false);
            }
        };
        if !node.is_directory() {
            refuse_replacing(&dest)?;
        }
        if !self.transfer.dry_run {
            let refused = |error: io::Error| Failure::host(format_args!("write {}", dest.shown()), &error);
            match node.inode.kind {
                ObjectKind::Directory => make_folder(&dest).map_err(refused)?,
                ObjectKind::Symlink => {
                    let target = path::link_target(contents, node.object)
                        .map_err(|error| Failure::object(error, path))?;
                    make_symlink(&dest, &target, &node.inode).map_err(refused)?;
                }
                _ => match self.links.get(&node.object) {
                    Some(first) => make_link(first, &dest).map_err(refused)?,
                    None => {
                        let fetch = |contents: &mut Contents<'_>| {
                            fetch_file(contents, path, node, &dest, &mut self.buffer, &mut self.progress)
                        };
                        self.damaged.noting(contents, node.object, fetch)?;
                        if node.inode.links > 1 {
                            self.links.insert(node.object, dest);
                        }
                    }
                },
            }
        }
        *count += 1;
        self.transfer.bytes += bytes;
        Ok(true)
    }

    /// Gives a folder its attributes: filling it changed its times, and may have needed other permissions.
    fn leave(&self, contents: &mut Contents<'_>, path: &PoolPath, node: &Node) -> Result<(), Failure> {
        if self.transfer.dry_run {
            return Ok(());
        }
        let dest = self.dest_of(path);
        let xattrs =
            attributes::xattrs(contents, node.object).map_err(|error| Failure::object(error, path))?;
        let restored = attributes::restore(&dest, &node.inode, &xattrs);
        restored
            .map_err(|error| Failure::host(format_args!("set the attributes of {}", dest.shown()), &error))
    }
}

/// Fetches one file: it gets its name when it is complete.
fn fetch_file(
    contents: &mut Contents<'_>,
    path: &PoolPath,
    node: &Node,
    dest: &Path,
    buffer: &mut Vec<u8>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let refused = |error: io::Error| Failure::host(format_args!("write {}", dest.shown()), &error);
    let unreadable = |error: Error| Failure::object(error, path);
    if dest.is_dir() {
        return Err(Failure::new(Code::IsADirectory, format!("{} is a folder", dest.shown())));
    }
    let mut file = unfinished(dest).map_err(refused)?;
    buffer.resize(BUFFER_BYTES, 0);
    let mut at = 0;
    while at < node.inode.size {
        interrupt::check()?;
        let bytes = contents.read(node.object, at, buffer).map_err(unreadable)?;
        if bytes == 0 {
            break;
        }
        file.write_all(&buffer[..bytes]).map_err(refused)?;
        at += bytes as u64;
        progress.advance(bytes as u64);
    }
    let xattrs = attributes::xattrs(contents, node.object).map_err(unreadable)?;
    attributes::restore(file.path(), &node.inode, &xattrs).map_err(refused)?;
    file.persist(dest).map_err(|error| refused(error.error))?;
    Ok(())
}
