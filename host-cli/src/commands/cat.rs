//! `cat`: contents of files to standard output.

use super::transfer::BUFFER_BYTES;
use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Exit, Failure};
use crate::output::stream;
use crate::pool::glob;
use crate::pool::mend::Damaged;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, Node, PoolPath};
use crate::pool::session::Disks;
use dynamicfs_core::{Pool, ReadObjects};
use std::ffi::OsString;

/// What to print.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Files in the pool; a name may be a pattern, as `*.txt`
    #[arg(required = true)]
    paths: Vec<OsString>,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let paths = PoolPath::all(&options.paths)?;
    run_on(app, &paths)
}

/// Prints the files that these paths mean.
pub(crate) fn run_on(app: &App, paths: &[PoolPath]) -> Result<Exit, Failure> {
    let mut damaged = Damaged::default();
    let printed = with_pool(app, Access::Read, |session| {
        for path in &glob::expand_all(&mut session.pool, paths)? {
            let node = path::find(&mut session.pool, path, true)?;
            let print = |contents: &mut Pool<'_, Disks>| print(contents, path, &node);
            if damaged.noting(&mut session.pool, node.object, print)?.is_none() {
                break;
            }
        }
        Ok(Exit::Done)
    });
    damaged.mend(app);
    printed
}

/// Writes a file's contents to standard output; `None` when the reader is gone.
fn print(contents: &mut impl ReadObjects, path: &PoolPath, node: &Node) -> Result<Option<u64>, Failure> {
    let mut buffer = vec![0; BUFFER_BYTES.min(node.inode.size.max(1) as usize)];
    let mut at = 0;
    loop {
        interrupt::check()?;
        let bytes =
            contents.read(node.object, at, &mut buffer).map_err(|error| Failure::object(error, path))?;
        if bytes == 0 {
            break;
        }
        if !stream::write(&buffer[..bytes])? {
            return Ok(None);
        }
        at += bytes as u64;
    }
    Ok(Some(at))
}
