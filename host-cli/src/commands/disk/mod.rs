//! `disk`: the pool's disks, and what an operator does with them.
//!
//! ```text
//! list.rs      list, show
//! find.rs      which disk someone means
//! add.rs       a file or device becomes a member
//! attach.rs    a disk is at another path, or has another name
//! drain.rs     what is on a member is moved away; remove
//! shut.rs      offline, fail, online, clear
//! replace.rs   a new disk for an old one
//! grow.rs      a disk that was enlarged is used to its end
//! identify.rs  which one it is, of those one can touch
//! ```

pub(crate) mod add;
pub(crate) mod attach;
pub(crate) mod drain;
pub(crate) mod find;
pub(crate) mod grow;
pub(crate) mod identify;
pub(crate) mod list;
pub(crate) mod replace;
pub(crate) mod shut;

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use std::path::PathBuf;

/// What to do with disks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the disks
    List,
    /// Show a disk in detail
    Show(Chosen),
    /// Make files or block devices members; their contents are lost
    Add(add::Options),
    /// Put a new disk in the place of one that works, fails or is gone
    Replace(replace::Options),
    /// Use all of a disk that was enlarged
    Grow(Chosen),
    /// Move everything off a disk
    Drain(drain::Options),
    /// Take an empty disk out of the pool
    Remove(drain::RemoveOptions),
    /// Let a disk take part again, which may be at another path now
    Online(OnlineOptions),
    /// Give a disk another name
    Rename {
        /// Its name, path, number or identity
        disk: String,
        /// Its new name
        name: String,
    },
    /// Take a disk out of use for a while; its data is expected back
    Offline(shut::Options),
    /// Count a disk as failed; its data is rebuilt elsewhere
    Fail(shut::Options),
    /// Forget a disk's errors, once their cause is gone
    Clear(Chosen),
    /// Make a disk's light blink
    Identify(identify::Options),
}

/// Which disk takes part again.
#[derive(Debug, clap::Args)]
pub(crate) struct OnlineOptions {
    /// Its name, path, number or identity
    disk: String,
    /// Where it is now
    path: Option<PathBuf>,
}

/// Which disk.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Its name, path, number or identity
    disk: String,
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::List => list::run(app),
        Command::Show(chosen) => list::show(app, &chosen.disk),
        Command::Identify(options) => identify::run(app, options),
        _ if app.global.read_only => {
            Err(Failure::new(Code::Usage, "this command changes the pool, and --read-only was given")
                .hint("leave --read-only out"))
        }
        Command::Add(options) => add::run(app, options),
        Command::Replace(options) => replace::run(app, options),
        Command::Grow(chosen) => grow::run(app, &chosen.disk),
        Command::Drain(options) => drain::run(app, options),
        Command::Remove(options) => drain::remove(app, options),
        Command::Online(options) => shut::online(app, &options.disk, options.path.as_deref()),
        Command::Rename { disk, name } => attach::rename(app, disk, name),
        Command::Clear(chosen) => shut::clear(app, &chosen.disk),
        Command::Offline(options) => shut::run(app, options, false),
        Command::Fail(options) => shut::run(app, options, true),
    }
}
