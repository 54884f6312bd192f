//! `put`: files, folders or standard input into the pool.
//!
//! Each file is there whole or not at all, whenever the power goes. A file is written in one transaction,
//! under a name of its own if it replaces another. Small files share a transaction; what was committed stays.
//!
//! ```text
//! putter.rs  what a walk of this machine meets, in transactions of bounded size
//! file.rs    one file: its contents, holes left out, and its attributes
//! place.rs   a name in a directory of the pool
//! same.rs    whether the pool has something already, for `sync`
//! ```

mod file;
mod place;
mod putter;
mod same;
mod target;

pub(crate) use putter::{Putter, Sync, check_room};

use super::filter::{Filter, FilterOptions};
use super::transfer::{BUFFER_BYTES, Transfer};
use crate::app::App;
use crate::host::attributes::own_attributes;
use crate::host::look::Look;
use crate::host::source::Stdin;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Session;
use dynamicfs_core::error::Error;
use place::Place;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to store, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Files, folders with -r, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Destination in the pool; an existing directory gets the sources put into it (a folder put twice is
    /// then inside itself: use `sync`)
    path: OsString,
    /// Store folders with all their contents
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    how: StoreOptions,
}

/// How what is on this machine is stored.
#[derive(Debug, clap::Args)]
pub(crate) struct StoreOptions {
    /// Fail if an attribute cannot be stored: an extended attribute that cannot be read, or is too long
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) filter: FilterOptions,
}

impl StoreOptions {
    /// What is stored in this way, nothing yet.
    pub(crate) fn transfer(&self, app: &App) -> Transfer {
        Transfer { strict: self.strict, ..Transfer::new(app, "stored") }
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let to = PoolPath::new(&options.path)?;
    let started = Instant::now();
    let filter = options.how.filter.compile()?;
    let mut transfer = options.how.transfer(app);
    let ended = match &options.sources[..] {
        [only] if only.as_os_str() == "-" => {
            with_pool(app, Access::Write, |session| put_stdin(session, &to, &mut transfer))
        }
        sources => {
            let looks = sources.iter().map(|source| look_at(source, options.recursive));
            let looks = looks.collect::<Result<Vec<Look>, _>>()?;
            with_pool(app, Access::Write, |session| {
                put_all(app, session, sources, &looks, (&to, options.recursive), &filter, &mut transfer)
            })
        }
    };
    transfer.finish(app, started, ended)
}

/// Stores one source after the other.
fn put_all(
    app: &App,
    session: &mut Session<'_>,
    sources: &[PathBuf],
    looks: &[Look],
    (to, recursive): (&PoolPath, bool),
    filter: &Filter,
    transfer: &mut Transfer,
) -> Result<(), Failure> {
    if sources.len() > 1 {
        path::find_directory(&mut session.pool, to)
            .map_err(|failure| failure.hint(format!("make it with `dynamicfs mkdir -p {}`", to.typed())))?;
    }
    let label = if app.global.dry_run { "would store" } else { "storing" };
    let total = looks.iter().all(|look| !look.is_folder());
    let total = total.then(|| looks.iter().map(|look| look.bytes).sum());
    let mut progress = Progress::new(&app.out, label, Unit::Bytes, total);
    for (source, look) in sources.iter().zip(looks) {
        let to = target(session, to, source, look)?;
        let mut putter = Putter::new(session, (source, look), &to, filter)?;
        putter.follow(!recursive);
        putter.run(session, transfer, &mut progress)?;
    }
    check_room(session, transfer)
}

/// What a source is; some cannot be stored.
fn look_at(source: &Path, recursive: bool) -> Result<Look, Failure> {
    let shown = source.shown();
    let look = Look::of_path(source, !recursive)
        .map_err(|error| Failure::host(format_args!("read {shown}"), &error))?;
    if look.is_folder() && !recursive {
        return Err(Failure::new(Code::IsADirectory, format!("{shown} is a folder"))
            .hint("add -r to store it with all that is in it"));
    }
    if !look.is_folder() && !look.is_file() && !look.is_link() {
        let message = format!("{shown} is {}, neither a file nor a folder", look.what());
        return Err(Failure::new(Code::InvalidArgument, message)
            .hint(format!("store what it says with `dynamicfs put - PATH < {}`", source.typed())));
    }
    Ok(look)
}

/// Stores a file or folder under a path that is not there yet.
pub(crate) fn store(app: &App, source: &Path, to: &PoolPath) -> Result<Transfer, Failure> {
    let mut transfer = Transfer::new(app, "stored");
    let look = look_at(source, true)?;
    let filter = FilterOptions::default().compile()?;
    with_pool(app, Access::Write, |session| {
        let mut progress = Progress::new(&app.out, "storing", Unit::Bytes, None);
        Putter::new(session, (source, &look), to, &filter)?.run(session, &mut transfer, &mut progress)
    })?;
    Ok(transfer)
}

/// Where a source goes: into the path if that is a directory.
fn target(session: &mut Session<'_>, to: &PoolPath, source: &Path, look: &Look) -> Result<PoolPath, Failure> {
    let into = path::find_if_any(&mut session.pool, to, true)?.is_some_and(|node| node.is_directory());
    if !into && !to.ends_with_slash() {
        return Ok(to.clone());
    }
    if !into && !look.is_folder() {
        return Err(Failure::object(Error::NotFound, to)
            .hint(format!("make it with `dynamicfs mkdir -p {}`", to.typed())));
    }
    if !into {
        return Ok(to.clone());
    }
    // `.` and `..` have names too.
    let named = source
        .file_name()
        .map(ToOwned::to_owned)
        .or_else(|| source.canonicalize().ok()?.file_name().map(ToOwned::to_owned));
    Ok(named.map_or_else(|| to.clone(), |name| to.join(name.as_bytes())))
}

fn put_stdin(session: &mut Session<'_>, to: &PoolPath, transfer: &mut Transfer) -> Result<(), Failure> {
    let place = Place::find(&mut session.pool, to)?;
    transfer.files = 1;
    if transfer.dry_run {
        return Ok(());
    }
    let mut progress = Progress::new(&session.out, "storing", Unit::Bytes, None);
    let stdin = Stdin::open();
    let stored = session.change(|contents| {
        place.fill(contents, &own_attributes(0o644), |contents, object| {
            let (mut at, mut buffer) = (0, Vec::with_capacity(BUFFER_BYTES));
            loop {
                let piece = stdin.read()?;
                let is_end = piece.is_empty();
                buffer.extend_from_slice(&piece);
                // Whole extents: what is written in part is stored again with the next part.
                while buffer.len() >= BUFFER_BYTES || is_end && !buffer.is_empty() {
                    let part = buffer.len().min(BUFFER_BYTES);
                    contents.write_all(object, at, &buffer[..part])?;
                    buffer.drain(..part);
                    at += part as u64;
                    progress.advance(part as u64);
                }
                if is_end {
                    return Ok(at);
                }
            }
        })
    });
    match stored {
        Ok((_, bytes)) => transfer.bytes = bytes,
        Err(failure) => {
            transfer.files = 0;
            return Err(failure.while_doing(to));
        }
    }
    Ok(())
}
