//! What would be without some disks: the core's forecast, with names.

use super::room;
use super::session::Session;
use super::stored::Extents;
use super::tree::paths_of;
use crate::output::failure::{Code, Failure};
use crate::output::names::ToldPath;
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text, WARN};
use dynamicfs_core::maintenance::{LossForecast, RebuildForecast, RebuildSpace};
use dynamicfs_core::types::{Row, Set};
use schemars::JsonSchema;
use serde::Serialize;

/// How the pool would be without some disks. What the disks that are left hold is taken to be right; a scrub proves it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Forecast {
    /// Extents, counted as they would be.
    pub(crate) extents: Extents,
    /// What could not be read then, and can be read now.
    pub(crate) lost: Lost,
    /// Extents that cannot be read now either.
    pub(crate) unreadable_now: u64,
    /// Nodes of the pool's tree that cannot be read now: what is below them is in none of these counts.
    pub(crate) nodes_unreadable_now: u64,
    /// The pool could be opened, if the disks were simply gone.
    pub(crate) opens: bool,
    /// It would take writes then.
    pub(crate) writable: bool,
    /// It would take writes if the disks were taken offline before they go.
    pub(crate) writable_if_offline_first: bool,
    /// More disks that may simply be gone then before anything else cannot be read, or the pool is not
    /// opened.
    pub(crate) read_tolerance: usize,
    /// More disks that may simply be gone then before the pool takes no writes, or is not opened.
    pub(crate) write_tolerance: usize,
    /// What a rebuild without the disks would do; null where part of the pool's records cannot be read.
    pub(crate) rebuild: Option<Rebuild>,
}

/// What would be lost.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lost {
    /// Bytes of contents.
    pub(crate) bytes: u64,
    /// Extents, whole or in part.
    pub(crate) extents: u64,
    /// Files, directories and links that would lose contents, attributes or names.
    pub(crate) objects: u64,
    /// Names in directories.
    pub(crate) names: u64,
    /// Nodes of the pool's tree: all below them is lost.
    pub(crate) nodes: u64,
    /// The paths of the first 64 objects, as far as they have one.
    pub(crate) paths: Vec<ToldPath>,
}

/// What a rebuild would do, after disks were lost, or to empty them.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Rebuild {
    /// Whether the disks that are left have room for it.
    pub(crate) space: Space,
    /// Bytes that it would write.
    pub(crate) written_bytes: u64,
    /// Bytes that would be free on the disks that are left.
    pub(crate) left_bytes: u64,
    /// Extents and tree nodes for which there is no room.
    pub(crate) without_space: u64,
    /// Extents that stay without full redundancy, because too few disks are left.
    pub(crate) without_disks: u64,
    /// Tree nodes, which hold the pool's own records, that stay on fewer disks than they should be on,
    /// because too few are left.
    pub(crate) nodes_without_disks: u64,
}

/// Whether there is room for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Space {
    /// There is.
    Enough,
    /// There are enough bytes, and hardly more: whether they lie side by side decides.
    Tight,
    /// There is not.
    TooLittle,
}

impl Rebuild {
    /// What a rebuild without the members in these rows would do.
    pub(crate) fn of(session: &mut Session<'_>, rows: Set<Row>) -> Result<Self, Failure> {
        let forecast = session.pool.forecast_rebuild(rows)?;
        Ok(Self::in_bytes(session, &forecast))
    }

    /// What emptying the members in these rows would do.
    pub(crate) fn of_drain(session: &mut Session<'_>, rows: Set<Row>) -> Result<Self, Failure> {
        let forecast = session.pool.forecast_drain(rows)?;
        Ok(Self::in_bytes(session, &forecast))
    }

    /// What emptying the members in these rows would do if a disk of so many bytes became a member before.
    /// Where they are `lost`, what a rebuild would.
    pub(crate) fn of_replacement(
        session: &mut Session<'_>,
        rows: Set<Row>,
        lost: bool,
        bytes: u64,
    ) -> Result<Self, Failure> {
        let block = u64::from(session.pool.health().block_bytes);
        let blocks = bytes.saturating_sub(room::overhead(session, block)) / block;
        let forecast = session.pool.forecast_replacement(rows, lost, blocks)?;
        Ok(Self::in_bytes(session, &forecast))
    }

    fn in_bytes(session: &Session<'_>, forecast: &RebuildForecast) -> Self {
        let block = u64::from(session.pool.health().block_bytes);
        let RebuildForecast { blocks_written, without_space, without_disks, .. } = *forecast;
        Self {
            space: match forecast.space() {
                RebuildSpace::Enough => Space::Enough,
                RebuildSpace::Tight => Space::Tight,
                RebuildSpace::TooLittle => Space::TooLittle,
            },
            written_bytes: blocks_written * block,
            left_bytes: forecast.blocks_left * block,
            without_space,
            without_disks,
            nodes_without_disks: forecast.nodes_without_disks,
        }
    }

    /// Fails where what a disk holds finds no room on those that are named so.
    pub(crate) fn has_room(&self, disk: &str, others: &str, hint: &str) -> Result<(), Failure> {
        if self.space != Space::TooLittle {
            return Ok(());
        }
        let what = size::count(self.without_space, "extent or tree node");
        let message = format!("{disk}: {others} have no room for {what} of its data");
        Err(Failure::new(Code::NoSpace, message).hint(hint))
    }

    /// Whether there are disks enough for the redundancy that was asked for.
    pub(crate) const fn has_disks(&self) -> bool {
        self.without_disks == 0 && self.nodes_without_disks == 0
    }

    /// The same for people, in a few words.
    pub(crate) fn words(&self, text: &Text) -> String {
        match self.space {
            _ if self.without_disks > 0 => {
                format!("{WARN}too few disks{WARN:#} for {}", size::count(self.without_disks, "extent"))
            }
            _ if self.nodes_without_disks > 0 => {
                let nodes = size::count(self.nodes_without_disks, "tree node");
                format!("{WARN}too few disks{WARN:#} for {nodes}")
            }
            Space::TooLittle => format!("{BAD}too little room{BAD:#}"),
            Space::Tight => format!("{WARN}barely room{WARN:#}: {} more", text.size(self.left_bytes)),
            Space::Enough => format!("{GOOD}room{GOOD:#}: {} more", text.size(self.left_bytes)),
        }
    }
}

impl Forecast {
    /// How the pool would be without the members in these rows.
    pub(crate) fn of(session: &mut Session<'_>, rows: Set<Row>) -> Result<Self, Failure> {
        let told = session.pool.forecast_loss(rows)?;
        let LossForecast { extents, unreadable_now, footing, .. } = told;
        let paths = paths_of(&mut session.pool, told.objects.to_vec())?;
        // Disks that are gone stay in the lists of members until the pool is written to.
        let open = match footing.mountable {
            true => footing.mount_tolerance,
            false if footing.writable_when_shut => footing.mount_tolerance_when_shut,
            false => 0,
        };
        let rebuild = if told.nodes_unreadable == 0 { Some(Rebuild::of(session, rows)?) } else { None };
        Ok(Self {
            lost: Lost {
                bytes: told.lost_bytes,
                extents: extents.unreadable.saturating_sub(unreadable_now),
                objects: told.objects_lost,
                names: told.names_lost,
                nodes: told.nodes_lost,
                paths,
            },
            extents: extents.into(),
            unreadable_now,
            nodes_unreadable_now: told.nodes_unreadable,
            opens: footing.mountable,
            writable: footing.writable,
            writable_if_offline_first: footing.writable_when_shut,
            read_tolerance: told.read_tolerance.min(open),
            write_tolerance: footing.write_tolerance.min(open),
            rebuild,
        })
    }

    /// Whether something would be lost that is there now.
    pub(crate) const fn loses(&self) -> bool {
        self.lost.objects > 0 || self.lost.nodes > 0 || self.lost.extents > 0
    }

    /// Says it in a few lines.
    pub(crate) fn text(&self, text: &mut Text) {
        let lost = &self.lost;
        if self.loses() {
            let (bytes, objects) = (text.size(lost.bytes), size::count(lost.objects, "object"));
            text.field("contents", format_args!("{BAD}{bytes} in {objects} would be lost{BAD:#}"));
        } else {
            text.field("contents", format_args!("{GOOD}nothing would be lost{GOOD:#}"));
        }
        let Extents { total, complete, readable, unreadable } = self.extents;
        text.field(
            "extents",
            format_args!(
                "{total}: {complete} complete, {readable} degraded but readable, {unreadable} unreadable"
            ),
        );
        if lost.nodes > 0 {
            let (nodes, names) = (size::count(lost.nodes, "tree node"), size::count(lost.names, "name"));
            text.field("records", format_args!("{BAD}{nodes} and {names} would be lost{BAD:#}"));
        }
        if self.nodes_unreadable_now > 0 {
            let nodes = size::count(self.nodes_unreadable_now, "tree node");
            text.field(
                "unknown",
                format_args!("{BAD}{nodes} cannot be read now{BAD:#}, and what is below them"),
            );
        }
        let pool = match (self.writable, self.opens, self.writable_if_offline_first) {
            (true, ..) => format!("{GOOD}opens, and takes writes{GOOD:#}"),
            (_, opens, true) => {
                let how = if opens { "opens for reading only" } else { "does not open" };
                format!("{WARN}{how}{WARN:#}, unless the missing disks were taken offline before")
            }
            (_, true, _) => format!("{WARN}opens for reading only{WARN:#}"),
            _ => format!(
                "{BAD}does not open{BAD:#}: the disks that are gone could hold a newer state, or its records are gone"
            ),
        };
        text.field("pool", pool);
        if !self.opens && !self.writable_if_offline_first {
            self.list(text);
            return;
        }
        let read = size::count(self.read_tolerance as u64, "more disk");
        text.field(
            "redundancy",
            format_args!("{read} may fail for reading then, {} for writing", self.write_tolerance),
        );
        if let Some(rebuild) = &self.rebuild {
            let written = text.size(rebuild.written_bytes);
            let words = rebuild.words(text);
            text.field("rebuild", format_args!("{words}; {written} would be written"));
        }
        self.list(text);
    }

    /// Names what would be lost.
    fn list(&self, text: &mut Text) {
        let lost = &self.lost;
        for path in &lost.paths {
            text.line(format_args!("{BAD}loses contents{BAD:#} {path}"));
        }
        let listed = lost.paths.len() as u64;
        if lost.objects > listed {
            text.line(format_args!("and {} more", size::count(lost.objects - listed, "object")));
        }
    }
}
