//! Options of all commands.

use crate::output::{duration, size};
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use std::path::PathBuf;
use std::time::Duration;

/// Bounds of `--memory`. With less than this no pool can be opened; each pool says how much it needs.
const MEMORY_BYTES_MIN: u64 = 4 << 10;
const MEMORY_BYTES_MAX: u64 = 1 << 40;

/// The variable that names the pool where no option does.
pub(crate) const POOL_VARIABLE: &str = "DYNAMICFS_POOL";

/// Takes no path that is empty, but for that of the variable, which then counts as none.
fn pool_parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| {
        let is_variable = std::env::var_os(POOL_VARIABLE).is_some_and(|usual| usual.is_empty());
        match path.is_empty() && !is_variable {
            true => Err("it is empty"),
            false => Ok(PathBuf::from(path)),
        }
    })
}

impl Global {
    /// Leaves out a pool without a name.
    pub(crate) fn settled(self) -> Self {
        Self { pool: self.pool.filter(|pool| !pool.as_os_str().is_empty()), ..self }
    }
}

/// Options of all commands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Global {
    /// The pool's folder
    #[arg(long, global = true, env = POOL_VARIABLE, value_name = "PATH", value_parser = pool_parser())]
    pub(crate) pool: Option<PathBuf>,
    /// The pool's disks, in place of its folder: the labels on them say which pool it is
    ///
    /// Nothing is written beside them: no list of disks, no events. For `init` and `labels`, the disks to
    /// use.
    #[arg(id = "pool_disk", long = "disk", global = true, value_name = "PATH", num_args = 1..)]
    pub(crate) disk: Vec<PathBuf>,
    /// Print JSON
    ///
    /// Errors are printed so too, on standard output. Warnings are words on standard error, as without it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only errors and the requested output
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show sizes in bytes
    #[arg(long, visible_alias = "bytes", global = true)]
    pub(crate) exact: bool,
    /// Open the pool for reading: nothing is written to any disk
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
    /// Continue without members that could hold a newer state
    ///
    /// Commands that read use what is here, and change nothing. The first command that writes gives up for
    /// good what only the missing members hold. It says before what that is, and asks.
    #[arg(long, global = true)]
    pub(crate) force_degraded: bool,
    /// Continue although data is lost: the data that only the removed, failed or missing disks hold
    #[arg(long, global = true)]
    pub(crate) force_data_loss: bool,
    /// Where the disks hold several histories: the one to continue, by the beginning of its name or by a disk
    ///
    /// The first command that changes the pool gives up the other histories.
    #[arg(long, global = true, value_name = "ID|DISK")]
    pub(crate) branch: Option<String>,
    /// Wait this long for a pool that another process has: 30s, 15m, 2h
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true,
        value_parser = duration::parse)]
    pub(crate) wait: Option<Duration>,
    /// Memory lent to the pool
    #[arg(long, global = true, value_name = "SIZE", default_value = "64MiB", allow_hyphen_values = true,
        value_parser = size::within(MEMORY_BYTES_MIN, MEMORY_BYTES_MAX))]
    pub(crate) memory: u64,
    /// Do not ask before changes that cannot be undone
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub(crate) dry_run: bool,
}
