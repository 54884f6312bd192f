//! `init`: a new pool.

mod disks;
mod ground;
pub(crate) mod layout;
mod unfinished;

use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::{self, ShowPath, ToldPath};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BOLD, Text};
use crate::output::typed::all_addressed;
use crate::pool::config;
use crate::pool::journal::{self, Event, EventKind, Severity};
use crate::pool::room::PoolRoom;
use crate::pool::session::Disks;
use dynamicfs_core::limits;
use dynamicfs_core::types::{DiskIndex, ParseSchemeError, Scheme};
use dynamicfs_core::{DiskOptions, FormatOptions, Memory, Pool};
use dynamicfs_hal::DiskArray;
use layout::Layout;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use std_host_shim::{HostArray, OsEntropy};

/// Bounds of a disk's size. How much a pool's disks need at least depends on its parameters, and is said when
/// it is made.
pub(crate) const DISK_BYTES_MIN: u64 = 64 << 10;
pub(crate) const DISK_BYTES_MAX: u64 = 1 << 60;

/// What the pool is like.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Make this many file-backed disks in the pool's folder
    #[arg(long, value_name = "N", requires = "disk_size", allow_hyphen_values = true,
        value_parser = parse_count)]
    pub(crate) disks: Option<usize>,
    /// Size of each file-backed disk
    #[arg(long, value_name = "SIZE", requires = "disks", allow_hyphen_values = true,
        value_parser = size::within(DISK_BYTES_MIN, DISK_BYTES_MAX))]
    pub(crate) disk_size: Option<u64>,
    /// Files or block devices to use, from the options of all commands; their contents are lost
    #[arg(skip)]
    pub(crate) disk: Vec<PathBuf>,
    /// Redundancy of new files: `4+2`, `mirror:3` or `single`; by default it suits the number of disks
    #[arg(long, value_parser = parse_scheme, allow_hyphen_values = true)]
    pub(crate) scheme: Option<Scheme>,
    /// Disks that may fail without losing the pool's own records; at least as many as the scheme bears
    #[arg(long, value_name = "DISKS", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u8).range(0..=4))]
    pub(crate) tolerance: Option<u8>,
    /// Make a pool that firmware with little memory can mount: small blocks, nodes, chunks and extents
    ///
    /// Files are then images of disks with sectors of 512 bytes, as cards have. If the power of this machine
    /// fails during a write, bytes beside the written ones may be damaged; `health` says so.
    #[arg(long)]
    pub(crate) portable: bool,
    /// Size of a tree node: a power of two, 512 to 16KiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::power_of_two(limits::NODE_BYTES_MIN as u64, limits::NODE_BYTES_MAX as u64))]
    pub(crate) node_size: Option<u64>,
    /// Size of a chunk, the unit of verification: a power of two, 512 to 16KiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::power_of_two(limits::CHUNK_BYTES_MIN as u64, limits::CHUNK_BYTES_MAX as u64))]
    pub(crate) chunk: Option<u64>,
    /// Size of an extent of new files: a power of two, 4KiB to 4MiB
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::power_of_two(limits::EXTENT_BYTES_MIN, limits::EXTENT_BYTES_MAX))]
    pub(crate) extent_size: Option<u64>,
    /// A file or device that counts for the quorum and holds no data; a file is made if there is none
    #[arg(long, value_name = "PATH")]
    pub(crate) witness: Option<PathBuf>,
    /// Use disks that hold a pool or a filesystem, which is lost
    #[arg(long)]
    pub(crate) force: bool,
}

/// Reads how many disks there are to be.
fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=limits::MEMBERS_MAX).contains(count));
    count.ok_or_else(|| format!("a pool has 1 to {} disks", limits::MEMBERS_MAX))
}

/// Reads a scheme as [`Scheme`] is shown.
pub(crate) fn parse_scheme(text: &str) -> Result<Scheme, String> {
    text.parse().map_err(|error| match error {
        ParseSchemeError::Form => format!("`{}` is {error}", names::show(text.as_bytes())),
        error => error.to_string(),
    })
}

/// The scheme for so many disks when none was asked for.
fn default_scheme(disks: usize) -> Scheme {
    match disks {
        0 | 1 => Scheme::SINGLE,
        2 => Scheme::mirror(2),
        3..=4 => Scheme { data: (disks - 1) as u8, parity: 1 },
        _ => Scheme { data: (disks - 2).min(8) as u8, parity: 2 },
    }
}

/// A pool that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Made {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The pool's identity; null where none was made.
    pool: Option<String>,
    /// The pool's folder.
    folder: String,
    /// The scheme of new files.
    scheme: String,
    /// Disks that may fail without loss of data.
    tolerance: u8,
    /// Disks that may be missing when the pool is opened: if more are, the others could hold a newer state, and it asks.
    opens_without: u64,
    /// Disks that may simply be gone before something cannot be read, or the pool is not opened.
    read_tolerance: u64,
    /// Bytes of all disks that hold data.
    raw_bytes: u64,
    /// Bytes of contents that are sure to fit.
    usable_bytes: u64,
    /// Memory with which the pool can be mounted, in bytes.
    memory_min_bytes: u64,
    /// The next command to type; null where none was made.
    next: Option<String>,
    /// The disks, in the order of their numbers.
    disks: Vec<MadeDisk>,
}

/// A disk of a new pool.
#[derive(Debug, Serialize, JsonSchema)]
struct MadeDisk {
    /// What it is called.
    name: String,
    /// Where it is.
    #[serde(flatten)]
    path: ToldPath,
    /// Its size.
    bytes: u64,
    /// It holds no data.
    witness: bool,
    /// What is on it, and would be lost; null for nothing, and where the pool was made.
    holds: Option<String>,
}

impl Report for Made {
    fn text(&self, text: &mut Text) {
        match &self.pool {
            Some(pool) => text.line(format_args!("{BOLD}pool {pool} is ready{BOLD:#} in {}", self.folder)),
            None => text.line(format_args!("would make a pool in {}", self.folder)),
        }
        let (raw, usable) = (text.size(self.raw_bytes), text.size(self.usable_bytes));
        let tolerance = u64::from(self.tolerance);
        let may_fail = match tolerance {
            0 => "no disk may fail".to_owned(),
            1 => "any disk may fail".to_owned(),
            disks => format!("any {disks} disks may fail"),
        };
        let is_limited = self.read_tolerance < tolerance;
        let loss = if is_limited { " without loss of data" } else { "" };
        text.field("redundancy", format_args!("{}: {may_fail}{loss}", self.scheme));
        if is_limited {
            let gone = match self.read_tolerance {
                0 => "any disk gone".to_owned(),
                disks => format!("more than {} gone", size::count(disks, "disk")),
            };
            text.field(
                "opening",
                format_args!("not with {gone}, because the missing disks could be newer: take a disk offline before it is pulled"),
            );
            let enough = |more: &usize| opens_without(self.disks.len() + more) >= tolerance;
            let witnesses = match (1..).find(enough) {
                Some(more) if more > 1 => format!("{more} witnesses"),
                _ => "a witness".to_owned(),
            };
            let how = format!("with {witnesses} it is opened then: `dynamicfs disk add --witness NEW-DISK`");
            text.field("", all_addressed(&how));
        }
        let disks = self.disks.iter().filter(|disk| !disk.witness).count() as u64;
        text.field(
            "capacity",
            format_args!("{usable} for contents, of {raw} on {}", size::count(disks, "disk")),
        );
        for disk in self.disks.iter().filter(|_| self.dry_run) {
            let holds = disk.holds.as_deref().unwrap_or("nothing");
            text.line(format_args!(
                "{} ({}, {}): holds {holds}",
                disk.name,
                disk.path,
                text.size(disk.bytes)
            ));
        }
        let memory = text.size(self.memory_min_bytes);
        text.field("memory", format_args!("{memory} at least to mount it"));
        if let Some(next) = &self.next {
            text.line(format_args!("next: {next}"));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

/// How many of so many members may be missing when a pool is opened: more than half decide.
const fn opens_without(members: usize) -> u64 {
    (members.saturating_sub(1) / 2) as u64
}

impl Made {
    pub(crate) const fn usable_bytes(&self) -> u64 {
        self.usable_bytes
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let options = Options { disk: app.global.disk.clone(), ..options.clone() };
    match (options.disks, options.disk.is_empty()) {
        (None, true) => {
            return Err(Failure::new(Code::Usage, "no disks were named").hint(
                "make some with --disks N and --disk-size SIZE, or use files or devices with --disk PATH...",
            ));
        }
        (Some(_), false) => return Err(Failure::new(Code::Usage, "--disks and --disk cannot go together")),
        _ => {}
    }
    let report = make(app, &options)?;
    app.out.report(&report)?;
    Ok(Exit::Done)
}

/// Makes a pool; a failure leaves nothing behind but what overwritten disks lost.
pub(crate) fn make(app: &App, options: &Options) -> Result<Made, Failure> {
    let folder = config::folder(app)?;
    let data_disks = options.disks.unwrap_or(options.disk.len());
    check_count(options, data_disks)?;
    let scheme = options.scheme.unwrap_or_else(|| default_scheme(data_disks));
    if options.force && !app.global.dry_run {
        confirm(app, "all data on these disks is lost, pools and filesystems as well", "yes")?;
    }
    check_scheme(scheme, options.tolerance, data_disks)?;
    let (mut layout, is_again) = match app.global.dry_run {
        true => (Layout::plan(app, &folder, options)?, false),
        false => Layout::prepare(app, &folder, options)?,
    };
    let format = format_options(options, scheme, layout.block_bytes_min());
    let format = format.force(format.force || is_again);
    let array = HostArray::new(layout.take_disks());
    let members = layout.members();
    let (report, array) = format_pool(app, array, &format, &members, &layout)?;
    if app.global.dry_run {
        return Ok(Made { dry_run: true, pool: None, next: None, ..report });
    }
    layout.overcommitted().iter().for_each(|warning| app.out.warn(warning));
    if layout.tears_more_than(format.block_bytes) {
        app.out.warn(format_args!(
            "a power cut of this machine may damage more than a block of {} bytes: the pool is for disks with small \
             sectors, and their images",
            format.block_bytes
        ));
    }
    // The disks stay locked until pool.toml is there.
    layout.publish()?;
    let disks = size::count(report.disks.len() as u64, "disk");
    let message = format!("the pool was made: {} on {disks}", report.scheme);
    let made = Event::now(Severity::Info, EventKind::PoolMade, message);
    if let Err(error) = journal::append(&folder, &[made]) {
        app.out.warn(format_args!("cannot write down what happened in {}: {error}", journal::FILE));
    }
    drop(array);
    Ok(report)
}

/// Refuses more disks than such a pool takes, before any of them is made or opened.
fn check_count(options: &Options, data_disks: usize) -> Result<(), Failure> {
    let most = match options.portable {
        true => usize::from(FormatOptions::portable(Scheme::SINGLE).members_max),
        false => limits::MEMBERS_MAX,
    };
    let disks = data_disks + usize::from(options.witness.is_some());
    if disks <= most {
        return Ok(());
    }
    let kind = if options.portable { "a portable pool" } else { "a pool" };
    let failure =
        Failure::new(Code::InvalidArgument, format!("{kind} has 1 to {most} disks, and {disks} were named"));
    Err(failure.hint(match options.portable {
        true => "give fewer disks, or leave --portable out",
        false => "give fewer disks",
    }))
}

fn check_scheme(scheme: Scheme, tolerance: Option<u8>, disks: usize) -> Result<(), Failure> {
    let needed = scheme.width().max(usize::from(tolerance.unwrap_or(0)) + 1);
    if disks < needed {
        return Err(Failure::new(
            Code::InvalidArgument,
            format!("scheme {scheme} needs {needed} disks, there are {disks}"),
        )
        .hint("give more disks, or a scheme that needs fewer"));
    }
    match tolerance {
        Some(tolerance) if tolerance < scheme.parity => Err(Failure::new(
            Code::InvalidArgument,
            format!("--tolerance {tolerance} is less than what scheme {scheme} bears"),
        )),
        _ => Ok(()),
    }
}

fn format_options(options: &Options, scheme: Scheme, block_min: u32) -> FormatOptions {
    let base = if options.portable { FormatOptions::portable(scheme) } else { FormatOptions::server(scheme) };
    // The definitions of the options hold them to their bounds, which are far below these.
    let given =
        |size: Option<u64>, default| size.map_or(default, |size| u32::try_from(size).unwrap_or(u32::MAX));
    let node_bytes = given(options.node_size, base.node_bytes);
    let mut format = base
        .node_bytes(node_bytes)
        .chunk_bytes(given(options.chunk, base.chunk_bytes))
        .extent_bytes(given(options.extent_size, base.extent_bytes))
        // What a power cut may damage must not hold two things that change at different times.
        .block_bytes(base.block_bytes.max(node_bytes).max(block_min))
        .force(options.force);
    format.tolerance = options.tolerance;
    format
}

/// Formats the disks; the report, and the disks, still open.
fn format_pool(
    app: &App,
    array: Disks,
    format: &FormatOptions,
    members: &[DiskOptions],
    layout: &Layout,
) -> Result<(Made, Disks), Failure> {
    let disks = array.disks();
    let sizes: Vec<u64> = (0..disks).map(|disk| array.geometry(disk).bytes()).collect();
    let mut lent = crate::pool::open::Lent::new(app.global.memory, format.node_bytes as usize, disks)?;
    let (memory, services) = lent.lend();
    let made = Pool::format(array, memory, services, &mut OsEntropy, format, members);
    let mut pool = made.map_err(|failure| layout.explain(failure.error))?;
    let usable_bytes = PoolRoom::of(&mut pool)?.filled.usable_bytes;
    let health = pool.health();
    let identities: Vec<_> = (0..disks).map(|disk| pool.member_health(DiskIndex(disk))).collect();
    let raw_bytes =
        sizes.iter().zip(&identities).filter(|(_, member)| !member.witness).map(|(bytes, _)| bytes).sum();
    let parameters = *pool.parameters();
    let array = pool.into_array();
    layout.record(parameters.pool, &identities);
    let report = Made {
        dry_run: false,
        pool: Some(parameters.pool.to_string()),
        folder: layout.folder().shown().to_string(),
        scheme: format.scheme.to_string(),
        tolerance: health.tolerance,
        opens_without: opens_without(disks),
        read_tolerance: opens_without(disks).min(health.tolerance.into()),
        raw_bytes,
        usable_bytes,
        memory_min_bytes: Memory::bytes_min(&parameters) as u64,
        next: Some(format!("dynamicfs put FILE / --pool {}", layout.folder().typed())),
        disks: layout.report(&sizes),
    };
    Ok((report, array))
}
