//! `mv`: another name or another directory, in one step.

use super::transfer::Transfer;
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Session;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{ObjectKind, RenameMode};
use std::ffi::OsString;
use std::time::Instant;

/// What to move, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to move
    from: OsString,
    /// Its new name, or a directory to move it into
    to: OsString,
    /// Replace nothing that is there
    #[arg(long)]
    no_clobber: bool,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let started = Instant::now();
    let (from, to) = (PoolPath::new(&options.from)?, PoolPath::new(&options.to)?);
    let mut transfer = Transfer::new(app, "moved");
    let ended = with_pool(app, Access::Write, |session| {
        rename(session, &from, &to, !options.no_clobber, &mut transfer)
    });
    transfer.finish(app, started, ended)
}

fn rename(
    session: &mut Session<'_>,
    from: &PoolPath,
    to: &PoolPath,
    replace: bool,
    transfer: &mut Transfer,
) -> Result<(), Failure> {
    let (from_parent, from_name) = from.split()?;
    let node = path::find(&mut session.pool, from, false)?;
    let to = into(session, to, from_name)?;
    let (to_parent, to_name) = to.split()?;
    let from_directory = path::find_directory(&mut session.pool, &from_parent)?;
    let to_directory = path::find_directory(&mut session.pool, &to_parent)?;
    *match node.inode.kind {
        ObjectKind::Directory => &mut transfer.directories,
        ObjectKind::Symlink => &mut transfer.symlinks,
        _ => &mut transfer.files,
    } = 1;
    let done = if transfer.dry_run {
        match session.pool.lookup(to_directory, to_name) {
            Ok(_) if !replace => Err(Failure::object(Error::Exists, &to)),
            _ => Ok(()),
        }
    } else {
        let mode = if replace { RenameMode::Replace } else { RenameMode::NoReplace };
        session.change(|contents| {
            let renamed = contents.rename((from_directory, from_name), (to_directory, to_name), mode);
            renamed.map_err(|error| Failure::object(error, format_args!("{from} to {to}")))
        })
    };
    if done.is_err() {
        *transfer = Transfer { action: transfer.action, dry_run: transfer.dry_run, ..Transfer::default() };
    }
    done
}

/// A path, or what it means to put something of this name into it.
pub(crate) fn into(session: &mut Session<'_>, to: &PoolPath, name: &[u8]) -> Result<PoolPath, Failure> {
    match path::find_if_any(&mut session.pool, to, true)? {
        Some(node) if node.is_directory() => Ok(to.join(name)),
        None if to.ends_with_slash() => Err(Failure::object(Error::NotFound, to)),
        _ => Ok(to.clone()),
    }
}
