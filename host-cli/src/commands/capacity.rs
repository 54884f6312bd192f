//! `capacity`: how much fits, what is stranded, what another disk would give, how fast it fills. Nothing is changed.

use crate::app::App;
use crate::commands::init::{DISK_BYTES_MAX, DISK_BYTES_MIN};
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{Cell, Text};
use crate::output::typed::addressed;
use crate::pool::disks;
use crate::pool::fill::{Filled, fill, schemes};
use crate::pool::forecast::Rebuild;
use crate::pool::growth::Growth;
use crate::pool::open::{Access, with_pool};
use crate::pool::room::{self, PoolRoom};
use crate::pool::session::Session;
use dynamicfs_core::types::Set;
use schemars::JsonSchema;
use serde::Serialize;

/// What might be added.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also say how much would fit with another disk of this size; repeat it for more disks
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::within(DISK_BYTES_MIN, DISK_BYTES_MAX))]
    add: Vec<u64>,
}

/// How much fits, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Capacity {
    /// All space of the disks that are given data, redundancy included.
    raw_bytes: u64,
    /// Of that in use, by contents, redundancy and the pool's own records.
    used_bytes: u64,
    /// Of that free.
    free_bytes: u64,
    /// Of that free once it is needed: it belonged to what was deleted or replaced.
    reclaimable_bytes: u64,
    /// Of that kept back, so that deletions and recovery always work.
    kept_back_bytes: u64,
    /// More of that which may be left over when nothing more can be stored: about a group of blocks on each
    /// disk.
    left_over_bytes: u64,
    /// More that the disks have, because they have grown: `disk grow` takes it into use.
    growable_bytes: u64,
    /// Contents that are sure to fit in the pool's scheme, in files of at least an extent, the pool's own
    /// records allowed for.
    #[serde(flatten)]
    filled: Filled,
    /// The same in other schemes that the disks allow.
    schemes: Vec<Filled>,
    /// The disks that are given data.
    disks: Vec<DiskCapacity>,
    /// What the disks of `--add` would give; null without it.
    added: Option<Added>,
    /// What small files take, in the pool's scheme.
    small_files: Vec<SmallFile>,
    /// How fast it fills.
    growth: Growth,
}

/// What a small file takes.
#[derive(Debug, Serialize, JsonSchema)]
struct SmallFile {
    /// Bytes of its contents.
    bytes: u32,
    /// Bytes that it takes on all disks, with its copies and records, about.
    cost_bytes: u64,
}

/// The space of a disk, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskCapacity {
    /// What it is called.
    name: String,
    /// Its number.
    member: u16,
    /// All of it.
    raw_bytes: u64,
    /// Of that free, now or once it is needed, and not kept back.
    free_bytes: u64,
    /// Of that of no use in the pool's scheme: the other disks are full before.
    stranded_bytes: u64,
    /// More that it has, because it has grown: `disk grow` takes it into use.
    growable_bytes: u64,
    /// What a rebuild would do if the disk failed.
    rebuild: Rebuild,
}

/// What more disks would give, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct Added {
    /// Their sizes.
    sizes: Vec<u64>,
    /// What would fit then.
    #[serde(flatten)]
    filled: Filled,
    /// How much more that is.
    gained_bytes: u64,
}

/// Sizes of the example files: one in the pool's tree, some in blocks of their own.
const SMALL_FILES: [u32; 3] = [500, 1500, 16_000];

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        app.out.report(&Capacity::of(session, &options.add)?)?;
        Ok(Exit::Done)
    })
}

impl Capacity {
    fn of(session: &mut Session<'_>, add: &[u64]) -> Result<Self, Failure> {
        let room = PoolRoom::of(&mut session.pool)?;
        let block = room.cut.block_bytes();
        let left = room.fillable();
        let tolerance = session.pool.health().tolerance;
        let others = schemes(left.len(), tolerance).filter(|&scheme| scheme != room.scheme);
        let others = others.map(|scheme| fill(&left, scheme, &room.cut)).collect();
        let names = disks::disks(session);
        let mut disks = Vec::new();
        for (room_of, stranded) in room.rooms.iter().zip(&room.filled.stranded) {
            let member = room_of.member.0;
            let name = names.iter().find(|disk| disk.member == Some(member));
            disks.push(DiskCapacity {
                name: name.map_or_else(|| format!("member-{member}"), |disk| disk.name.clone()),
                member,
                raw_bytes: room_of.blocks * block,
                free_bytes: room_of.usable() * block,
                stranded_bytes: stranded * block,
                growable_bytes: name.map_or(0, |disk| disk.growable_bytes),
                rebuild: Rebuild::of(session, Set::only(room_of.row))?,
            });
        }
        let added = (!add.is_empty()).then(|| {
            let overhead = room::overhead(session, block);
            let blocks = add.iter().map(|bytes| bytes.saturating_sub(overhead) / block);
            let left = room.fillable_with(blocks);
            let then = fill(&left, room.scheme, &room.cut);
            let gained_bytes = then.usable_bytes.saturating_sub(room.filled.usable_bytes);
            Added { sizes: add.to_vec(), filled: then, gained_bytes }
        });
        let small_files = SMALL_FILES.into_iter().filter_map(|bytes| {
            let cost_bytes = room.cut.cost(room.scheme, bytes, room.rooms.len())?;
            Some(SmallFile { bytes, cost_bytes })
        });
        let small_files = small_files.collect();
        let PoolRoom { rooms, filled, .. } = room;
        let sum = |of: fn(&dynamicfs_core::maintenance::MemberRoom) -> u64| {
            rooms.iter().map(of).sum::<u64>() * block
        };
        let (raw, free, dead) = (sum(|room| room.blocks), sum(|room| room.free), sum(|room| room.dead));
        Ok(Self {
            raw_bytes: raw,
            used_bytes: raw.saturating_sub(free + dead),
            free_bytes: free,
            reclaimable_bytes: dead,
            kept_back_bytes: sum(|room| room.kept_back),
            left_over_bytes: sum(|room| room.usable() - room.fillable()),
            growable_bytes: disks.iter().map(|disk| disk.growable_bytes).sum(),
            small_files,
            growth: Growth::of(session, filled.usable_bytes)?,
            filled,
            schemes: others,
            disks,
            added,
        })
    }
}

impl Report for Capacity {
    fn text(&self, text: &mut Text) {
        let (used, raw) = (text.size(self.used_bytes), text.size(self.raw_bytes));
        let (free, dead, kept) =
            (text.size(self.free_bytes), text.size(self.reclaimable_bytes), text.size(self.kept_back_bytes));
        text.field(
            "space",
            format_args!("{used} of {raw} in use; {free} free, {dead} more when it is needed"),
        );
        text.field("", format_args!("{kept} of the free space are kept back, for deleting and recovery"));
        let over = text.size(self.left_over_bytes);
        text.field(
            "",
            format_args!("{over} more may be left over in the end, a group of blocks on each disk"),
        );
        let usable = text.size(self.filled.usable_bytes);
        text.field(
            "usable",
            format_args!("room for {usable} of contents in {}{}", self.filled.scheme, self.filled.stored()),
        );
        let stranded = text.size(self.filled.stranded_bytes);
        // What is left over in the last stripes does not matter.
        let is_much = |disk: &&DiskCapacity| disk.stranded_bytes * 100 > disk.raw_bytes;
        let where_to: Vec<&str> = self.disks.iter().filter(is_much).map(|disk| disk.name.as_str()).collect();
        match where_to.is_empty() {
            true => text.field("stranded", stranded),
            false => text.field(
                "stranded",
                format_args!("{stranded} on {}: the other disks are full before", where_to.join(", ")),
            ),
        }
        let grown: Vec<&DiskCapacity> = self.disks.iter().filter(|disk| disk.growable_bytes > 0).collect();
        if let Some(first) = grown.first() {
            let names: Vec<&str> = grown.iter().map(|disk| disk.name.as_str()).collect();
            let (more, all) =
                (text.size(self.growable_bytes), text.size(self.raw_bytes + self.growable_bytes));
            let next = addressed(&format!("dynamicfs disk grow {}", first.name));
            text.field(
                "grown",
                format_args!("{more} more on {}, {all} in all then; next: {next}", names.join(", ")),
            );
        }
        if let Some(added) = &self.added {
            let sizes: Vec<String> = added.sizes.iter().map(|&bytes| text.size(bytes)).collect();
            let (usable, gained, stranded) = (
                text.size(added.filled.usable_bytes),
                text.size(added.gained_bytes),
                text.size(added.filled.stranded_bytes),
            );
            let what = format!("with {} more: room for {usable}, {gained} more", sizes.join(" and "));
            text.field("added", format_args!("{what}{}; {stranded} stranded", added.filled.stored()));
        }
        for file in &self.small_files {
            let cost = text.size(file.cost_bytes);
            text.field(
                "small files",
                format_args!("a file of {} bytes takes {cost} on all disks", file.bytes),
            );
        }
        self.growth.text(text);
        text.line("");
        let all = [&self.filled].into_iter().chain(&self.schemes);
        let rows: Vec<Vec<Cell>> = all
            .map(|filled| {
                vec![
                    filled.scheme.clone().into(),
                    filled.tolerance.to_string().into(),
                    text.size(filled.usable_bytes).into(),
                    text.size(filled.stranded_bytes).into(),
                ]
            })
            .collect();
        text.table(&["SCHEME", "BEARS", "ROOM FOR", "STRANDED"], &[1, 2, 3], &rows);
        text.line("");
        let rows: Vec<Vec<Cell>> = self
            .disks
            .iter()
            .map(|disk| {
                vec![
                    disk.name.clone().into(),
                    text.size(disk.raw_bytes).into(),
                    text.size(disk.free_bytes).into(),
                    text.size(disk.stranded_bytes).into(),
                    disk.rebuild.words(text).into(),
                ]
            })
            .collect();
        text.table(&["DISK", "SIZE", "FREE", "STRANDED", "IF IT FAILS, FOR A REBUILD"], &[1, 2, 3], &rows);
    }
}
