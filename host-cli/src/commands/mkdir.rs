//! `mkdir`: directories.

use super::transfer::Transfer;
use crate::app::App;
use crate::host::attributes::own_attributes;
use crate::output::failure::{Code, Exit, Failure};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Changes;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{MakeRequest, ObjectKind, split_path};
use dynamicfs_core::types::ObjectId;
use std::ffi::OsString;
use std::time::Instant;

/// What to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directories in the pool
    #[arg(required = true)]
    paths: Vec<OsString>,
    /// Make the directories above them too; one that is there is no failure
    #[arg(short, long)]
    parents: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let paths = PoolPath::all(&options.paths)?;
    let mut transfer = Transfer::new(app, "made");
    let ended = with_pool(app, Access::Write, |session| {
        for path in &paths {
            let dry_run = transfer.dry_run;
            let made = if dry_run {
                missing(&mut session.pool, path, options.parents)
            } else {
                session.change(|contents| make(contents, path, options.parents))
            };
            match made {
                Ok(made) => transfer.directories += made,
                Err(failure) => transfer.fail(path, &failure),
            }
        }
        Ok(())
    });
    transfer.finish(app, started, ended)
}

/// Makes a directory; how many it took.
fn make(contents: &mut Changes<'_, '_>, path: &PoolPath, parents: bool) -> Result<u64, Failure> {
    let failed = |error| Failure::object(error, path);
    let attributes = own_attributes(0o755);
    if !parents {
        let (parent, name) = path.split()?;
        let directory = path::find_directory(contents, &parent).map_err(|failure| match failure.code() {
            Code::NotFound => failure.hint(format!("make it too with `dynamicfs mkdir -p {}`", path.typed())),
            _ => failure,
        })?;
        contents.create(directory, name, &MakeRequest::Directory, &attributes).map_err(failed)?;
        return Ok(1);
    }
    let mut at = ObjectId::ROOT;
    let mut made = 0;
    for name in split_path(path.as_bytes()) {
        at = match contents.lookup(at, name) {
            Ok(target) if target.kind == ObjectKind::Directory => target.object,
            Ok(_) => return Err(failed(Error::NotADirectory)),
            Err(Error::NotFound) => {
                made += 1;
                contents.create(at, name, &MakeRequest::Directory, &attributes).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
    }
    Ok(made)
}

/// How many directories would be made.
fn missing(contents: &mut impl ReadObjects, path: &PoolPath, parents: bool) -> Result<u64, Failure> {
    if !parents {
        if path::find_if_any(contents, path, false)?.is_some() {
            return Err(Failure::object(Error::Exists, path));
        }
        let (parent, _) = path.split()?;
        path::find_directory(contents, &parent)?;
        return Ok(1);
    }
    let names: Vec<&[u8]> = split_path(path.as_bytes()).collect();
    let mut at = ObjectId::ROOT;
    for (number, name) in names.iter().enumerate() {
        at = match contents.lookup(at, name) {
            Ok(target) if target.kind == ObjectKind::Directory => target.object,
            Ok(_) => return Err(Failure::object(Error::NotADirectory, path)),
            Err(Error::NotFound) => return Ok((names.len() - number) as u64),
            Err(error) => return Err(Failure::object(error, path)),
        };
    }
    Ok(0)
}
