//! Arguments: the one definition of commands, options and their help.

use crate::commands;
use crate::output::size;
use crate::pool::files::Chosen;
use crate::pool::wait;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Crash-safe pools of files over many disks, on files and block devices.
#[derive(Debug, Parser)]
#[command(name = "dynamicfs", version, max_term_width = 110, arg_required_else_help = true)]
// `--disk A B C status`: the list of disks ends where a command begins. A disk of a command's name is
// `./status`.
#[command(subcommand_precedence_over_arg = true)]
#[command(after_help = "Try `dynamicfs demo` first: it needs nothing and takes seconds.\n\n\
    Sizes are numbers of bytes, or have a unit: KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB, and k, M, G, T \
    alone, powers of 1000.\n\n\
    Exit codes: 0 ok, 1 failed, 2 usage, 3 refused for safety, 4 unrecoverable damage, 5 busy, 6 interrupted.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Bounds of `--memory`. With less than this no pool can be opened; how much a pool needs it says itself.
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
    /// Nothing is written beside them: no list of disks, no events. For `init` and `labels` the disks that
    /// are meant.
    #[arg(id = "pool_disk", long = "disk", global = true, value_name = "PATH", num_args = 1..)]
    pub(crate) disk: Vec<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors, and what was asked for
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show sizes in bytes
    #[arg(long, visible_alias = "bytes", global = true)]
    pub(crate) exact: bool,
    /// Open the pool for reading: nothing is written to any disk
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
    /// Go on without members that could hold a newer state
    ///
    /// Commands that read are served what is here, and change nothing. The first that writes gives up for
    /// good what the missing members alone hold, after it has told what that is and was confirmed.
    #[arg(long, global = true)]
    pub(crate) force_degraded: bool,
    /// Go on although data is lost by it: what only the disks hold that are removed, failed or gone on
    /// without
    #[arg(long, global = true)]
    pub(crate) force_data_loss: bool,
    /// Where the disks hold several histories: the one to go on with, by the beginning of its name or by a disk
    ///
    /// What the others hold is given up with the first command that changes the pool.
    #[arg(long, global = true, value_name = "ID|DISK")]
    pub(crate) branch: Option<String>,
    /// Wait so long for a pool that another process has: 30s, 15m, 2h
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true,
        value_parser = wait::parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Memory lent to the pool
    #[arg(long, global = true, value_name = "SIZE", default_value = "64MiB", allow_hyphen_values = true,
        value_parser = size::within(MEMORY_BYTES_MIN, MEMORY_BYTES_MAX))]
    pub(crate) memory: u64,
    /// Do not ask before something cannot be taken back
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Say what would be done, and change nothing
    #[arg(short = 'n', long, global = true)]
    pub(crate) dry_run: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a pool
    Init(commands::init::Options),
    /// Find pools by the labels of their disks, and list the disks of one anew
    Import(commands::import::Options),
    /// How the pool is: redundancy, space, disks
    Status,
    /// The verdict for a monitoring system: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Health,
    /// Counters since the pool was made
    Metrics,
    /// What has happened to the pool and its disks
    Events(commands::events::Options),
    /// Measure durable writes, and reads
    Benchmark(commands::benchmark::Options),
    /// Store files, folders or standard input
    Put(commands::put::Options),
    /// Take files or directories out of the pool
    Get(commands::get::Options),
    /// Bring a directory up to date with a folder of this machine
    Sync(commands::sync::Options),
    /// Print files
    Cat(commands::cat::Options),
    /// List directories
    Ls(commands::ls::Options),
    /// Show a directory and all below it
    Tree(commands::tree::Options),
    /// Find files and directories by name, kind, size and time
    Find(commands::find::Options),
    /// How much is in directories
    Du(commands::du::Options),
    /// How much is in the pool, and how much more fits
    Df,
    /// Show all that is known of a file or directory
    Stat(commands::stat::Options),
    /// Make directories
    Mkdir(commands::mkdir::Options),
    /// Move or rename
    Mv(commands::mv::Options),
    /// Copy within the pool
    Cp(commands::cp::Options),
    /// Remove files and directories
    Rm(commands::rm::Options),
    /// Show which disks hold files, fragment by fragment
    Locate(Chosen),
    /// Read and prove every fragment of files
    Verify(commands::verify::Options),
    /// Read and verify everything, and change nothing
    Check,
    /// Take out what can still be read of a pool that cannot be opened otherwise; nothing is written to it
    Salvage(commands::salvage::Options),
    /// What the labels of the disks say; needs no working pool
    Labels,
    /// The pool's name on this machine
    #[command(subcommand)]
    Pool(commands::pool::Command),
    /// The pool's disks
    #[command(subcommand)]
    Disk(commands::disk::Command),
    /// Read and prove everything, and put right what is wrong
    #[command(subcommand)]
    Scrub(commands::maintenance::Command<commands::maintenance::Start>),
    /// Put back the redundancy that is missing
    #[command(subcommand)]
    Rebuild(commands::maintenance::Command<commands::maintenance::StartRebuild>),
    /// Put contents where and how they would be stored today: evenly, as their policy asks, in long extents
    #[command(subcommand)]
    Rebalance(commands::maintenance::Command<commands::maintenance::StartRebalance>),
    /// Put right all that can be put right: labels, the free map, whatever is damaged or missing
    Repair(commands::repair::Options),
    /// How contents are stored: the scheme of a file, or of what is made in a directory
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Give free space back to the disks
    Trim(commands::trim::Options),
    /// How the pool would be, after something that has not happened
    #[command(subcommand)]
    Whatif(commands::whatif::Command),
    /// May a disk be pulled now? Exit code 0: yes, 3: no
    OkToRemove(commands::ok_to_remove::Options),
    /// How much fits, what is stranded, how fast it fills
    Capacity(commands::capacity::Options),
    /// See a pool lose disks, power and bits, and no data
    Demo(commands::demo::Options),
    /// Print what completes commands in a shell
    Completions(commands::completions::Options),
    /// Print a manual page, or write them all
    Man(commands::man::Options),
    /// Print the JSON Schema of a command's output, or list the schemas
    Schema(commands::schema::Options),
}
