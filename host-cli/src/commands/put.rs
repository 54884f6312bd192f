//! `put`: a file, a folder or standard input into the pool.
//!
//! Each file is there whole or not at all, whenever the power goes: a file is written in one transaction, under a name
//! of its own if it replaces another. Small files share a transaction; what was committed stays.

mod folder;

use super::transfer::{BUFFER_BYTES, Transfer};
use crate::app::App;
use crate::host::attributes;
use crate::host::interrupt;
use crate::host::source::{Source, Stdin};
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use crate::pool::session::{Contents, Session};
use dynamicfs_core::error::Error;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_hal::Entropy;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to store, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file, a folder with -r, or - for standard input
    source: PathBuf,
    /// Where to, in the pool; into it if it is a directory
    path: OsString,
    /// Store a folder and all that is in it
    #[arg(short, long)]
    recursive: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let to = PoolPath::new(&options.path)?;
    let started = Instant::now();
    let mut transfer = Transfer::new(app, "stored");
    let ended = if options.source.as_os_str() == "-" {
        with_pool(app, Access::Write, |session| put_stdin(session, &to, &mut transfer))
    } else {
        let source = &options.source;
        let metadata = look_at(source, options.recursive)?;
        with_pool(app, Access::Write, |session| {
            let to = target(session, &to, source)?;
            let label = if app.global.dry_run { "would store" } else { "storing" };
            let mut progress =
                Progress::new(&app.out, label, Unit::Bytes, (!metadata.is_dir()).then_some(metadata.len()));
            folder::put(session, source, &to, !options.recursive, &mut transfer, &mut progress)
        })
    };
    transfer.finish(app, started, ended)
}

/// What a source is; some cannot be stored.
fn look_at(source: &Path, recursive: bool) -> Result<fs::Metadata, Failure> {
    let shown = source.shown();
    let metadata = if recursive { fs::symlink_metadata(source) } else { fs::metadata(source) };
    let metadata = metadata.map_err(|error| Failure::host(format_args!("read {shown}"), &error))?;
    if metadata.is_dir() && !recursive {
        return Err(Failure::new(Code::IsADirectory, format!("{shown} is a folder"))
            .hint("add -r to store it with all that is in it"));
    }
    if !metadata.is_dir() && !metadata.is_file() && !metadata.is_symlink() {
        return Err(Failure::new(Code::InvalidArgument, format!("{shown} is neither a file nor a folder"))
            .hint(format!("store what it says with `dynamicfs put - PATH < {shown}`")));
    }
    Ok(metadata)
}

/// Stores a file or folder under a path that is not there yet.
pub(crate) fn store(app: &App, source: &Path, to: &PoolPath) -> Result<Transfer, Failure> {
    let mut transfer = Transfer::new(app, "stored");
    with_pool(app, Access::Write, |session| {
        let mut progress = Progress::new(&app.out, "storing", Unit::Bytes, None);
        folder::put(session, source, to, true, &mut transfer, &mut progress)
    })?;
    Ok(transfer)
}

/// Where a source goes: into the path if that is a directory.
fn target(session: &mut Session<'_>, to: &PoolPath, source: &Path) -> Result<PoolPath, Failure> {
    let into = path::find_if_any(&mut session.pool, to, true)?.is_some_and(|node| node.is_directory());
    if !into && !to.ends_with_slash() {
        return Ok(to.clone());
    }
    if !into && !source.is_dir() {
        return Err(
            Failure::object(Error::NotFound, to).hint(format!("make it with `dynamicfs mkdir -p {to}`"))
        );
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
        let attributes = Attributes { mode: 0o644, ..Attributes::default() };
        place.fill(contents, &attributes, |contents, object| {
            let mut at = 0;
            loop {
                let piece = stdin.read()?;
                if piece.is_empty() {
                    return Ok(at);
                }
                contents.write_all(object, at, &piece)?;
                at += piece.len() as u64;
                progress.advance(piece.len() as u64);
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

/// A name in a directory, which a file is to have.
struct Place {
    directory: ObjectId,
    name: Vec<u8>,
}

impl Place {
    /// The place that a path names.
    fn find(contents: &mut Contents<'_>, to: &PoolPath) -> Result<Self, Failure> {
        let (parent, name) = to.split()?;
        if to.ends_with_slash() {
            return Err(Failure::object(Error::IsADirectory, to).hint("leave the / at the end out"));
        }
        let missing = |failure: Failure| match failure.code() {
            Code::NotFound => failure.hint(format!("make it with `dynamicfs mkdir -p {parent}`")),
            _ => failure,
        };
        let directory = path::find_directory(contents, &parent).map_err(missing)?;
        let place = Self { directory, name: name.to_vec() };
        place.check_no_directory(contents).map_err(|failure| failure.while_doing(to))?;
        Ok(place)
    }

    fn check_no_directory(&self, contents: &mut Contents<'_>) -> Result<bool, Failure> {
        use dynamicfs_core::format::inode::ObjectKind;
        match contents.lookup(self.directory, &self.name) {
            Ok(target) if target.kind == ObjectKind::Directory => Err(Error::IsADirectory.into()),
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a file here, which `write` fills, in place of one that may be here already. When `write` fails, what was
    /// here is still here.
    fn fill<'m>(
        &self,
        contents: &mut Contents<'m>,
        attributes: &Attributes,
        write: impl FnOnce(&mut Contents<'m>, ObjectId) -> Result<u64, Failure>,
    ) -> Result<(ObjectId, u64), Failure> {
        self.replace(contents, |contents, name| {
            let object = contents.create(self.directory, name, &MakeRequest::File, attributes)?;
            match write(contents, object) {
                Ok(bytes) => Ok((object, bytes)),
                Err(failure) => {
                    // Where even this fails the transaction can only be dropped, and with it the file.
                    let undone = contents.unlink(self.directory, name);
                    if folder::is_of_this_file(failure.code()) {
                        undone?;
                    }
                    Err(failure)
                }
            }
        })
    }

    /// Runs `make`, which makes something under the name that it is given, and lets that take the place of what is
    /// here.
    fn replace<'m, T>(
        &self,
        contents: &mut Contents<'m>,
        make: impl FnOnce(&mut Contents<'m>, &[u8]) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if !self.check_no_directory(contents)? {
            return make(contents, &self.name);
        }
        let beside = temporary_name()?;
        let made = make(contents, &beside)?;
        contents.rename((self.directory, &beside), (self.directory, &self.name), true)?;
        Ok(made)
    }
}

/// A name that nobody else has. It is gone before the transaction is durable.
fn temporary_name() -> Result<Vec<u8>, Failure> {
    let mut random = [0; 8];
    let drawn = std_host_shim::OsEntropy.fill(&mut random);
    drawn.map_err(|error| Failure::new(Code::Host, error.to_string()))?;
    Ok(format!(".dynamicfs-{:016x}", u64::from_le_bytes(random)).into_bytes())
}

/// Stores one file of this machine, through a link only with `follow`.
fn put_file(
    contents: &mut Contents<'_>,
    place: &Place,
    from: &Path,
    follow: bool,
    buffer: &mut Vec<u8>,
    progress: &mut Progress,
) -> Result<(ObjectId, u64), Failure> {
    let mut source = Source::open(from, follow)?;
    buffer.resize(BUFFER_BYTES, 0);
    let metadata = source.metadata.clone();
    place.fill(contents, &attributes::of(&metadata), |contents, object| {
        let mut at = 0;
        loop {
            interrupt::check()?;
            let bytes = source.read(buffer)?;
            if bytes > 0 {
                contents.write_all(object, at, &buffer[..bytes])?;
            }
            at += bytes as u64;
            progress.advance(bytes as u64);
            if bytes < buffer.len() {
                break;
            }
            // Sooner than at the end of a file that takes hours.
            source.check_unchanged()?;
        }
        attributes::put_xattrs(contents, object, from)?;
        // Last: whoever put another file in its place changed this one too.
        source.check_unchanged()?;
        contents.change_attributes(object, &attributes::change(&metadata))?;
        Ok(at)
    })
}
