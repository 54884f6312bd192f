//! `sync`: brings a directory of the pool up to date with a folder of this machine.

use super::put::{Putter, StoreOptions, Sync, check_room};
use crate::app::App;
use crate::host::look::Look;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::progress::{Progress, Unit};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::PoolPath;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

/// What to bring up to date.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A folder
    source: PathBuf,
    /// The directory in the pool; it is made if it does not exist
    path: OsString,
    /// Compare all contents; without it files of the same size and time of change count as the same
    #[arg(long)]
    checksum: bool,
    /// Remove from the directory what is not in the folder; what --include or --exclude leaves out stays
    #[arg(long)]
    delete: bool,
    #[command(flatten)]
    how: StoreOptions,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let to = PoolPath::new(&options.path)?;
    let source = options.source.as_path();
    let shown = source.shown();
    let filter = options.how.filter.compile()?;
    let look =
        Look::of_path(source, true).map_err(|error| Failure::host(format_args!("read {shown}"), &error))?;
    if !look.is_folder() {
        let message = format!("{shown} is {}, and no folder", look.what());
        return Err(Failure::new(Code::NotADirectory, message).hint(format!(
            "store it with `dynamicfs put {} {}`",
            source.typed(),
            to.typed()
        )));
    }
    let started = Instant::now();
    let mut transfer = options.how.transfer(app);
    let ended = with_pool(app, Access::Write, |session| {
        let mut progress = Progress::new(&app.out, "storing", Unit::Bytes, None);
        let mut putter = Putter::new(session, (source, &look), &to, &filter)?;
        putter.sync(Sync { compare: options.checksum, delete: options.delete });
        putter.run(session, &mut transfer, &mut progress)?;
        check_room(session, &transfer)
    });
    transfer.finish(app, started, ended)
}
