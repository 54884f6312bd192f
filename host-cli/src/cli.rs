//! Arguments: the one definition of commands, options and their help.

use crate::commands;
use crate::options::Global;
use crate::pool::files::Chosen;
use clap::{Parser, Subcommand};

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

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a pool
    Init(commands::init::Options),
    /// Find pools by the labels of their disks, and list the disks of one anew
    Import(commands::import::Options),
    /// Show the status of the pool: redundancy, space, disks
    Status,
    /// Print the status for a monitoring system: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Health,
    /// Print counters since the pool was made
    Metrics,
    /// Print what happened to the pool and its disks
    Events(commands::events::Options),
    /// Measure durable writes, and reads
    Benchmark(commands::benchmark::Options),
    /// Store files, folders or standard input
    Put(commands::put::Options),
    /// Copy files or directories out of the pool
    Get(commands::get::Options),
    /// Bring a directory up to date with a folder of this machine
    Sync(commands::sync::Options),
    /// Print files
    Cat(commands::cat::Options),
    /// List directories
    Ls(commands::ls::Options),
    /// Show a directory and everything below it
    Tree(commands::tree::Options),
    /// Find files and directories by name, kind, size and time
    Find(commands::find::Options),
    /// Show how much is in directories
    Du(commands::du::Options),
    /// Show how much is in the pool, and how much more fits
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
    /// Copy out what can still be read of a pool that cannot be opened; nothing is written to it
    Salvage(commands::salvage::Options),
    /// Show what the labels of the disks say; needs no working pool
    Labels,
    /// The pool's name on this machine
    #[command(subcommand)]
    Pool(commands::pool::Command),
    /// The pool's disks
    #[command(subcommand)]
    Disk(commands::disk::Command),
    /// Read and prove everything, and repair what is wrong
    #[command(subcommand)]
    Scrub(commands::maintenance::Command<commands::maintenance::Start>),
    /// Restore missing redundancy
    #[command(subcommand)]
    Rebuild(commands::maintenance::Command<commands::maintenance::StartRebuild>),
    /// Store contents as they would be stored today: evenly, as their policy asks, in long extents
    #[command(subcommand)]
    Rebalance(commands::maintenance::Command<commands::maintenance::StartRebalance>),
    /// Repair everything that can be repaired: labels, the free map, damaged and missing data
    Repair(commands::repair::Options),
    /// How contents are stored: the scheme of a file, or of new entries of a directory
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Give free space back to the disks
    Trim(commands::trim::Options),
    /// Show what a loss of disks would mean
    #[command(subcommand)]
    Whatif(commands::whatif::Command),
    /// May a disk be pulled now? Exit code 0: yes, 3: no
    OkToRemove(commands::ok_to_remove::Options),
    /// Show how much fits, what is stranded, how fast it fills
    Capacity(commands::capacity::Options),
    /// See a pool lose disks, power and bits, and no data
    Demo(commands::demo::Options),
    /// Print the completions for a shell
    Completions(commands::completions::Options),
    /// Print a manual page, or write them all
    Man(commands::man::Options),
    /// Print the JSON Schema of a command's output, or list the schemas
    Schema(commands::schema::Options),
}
