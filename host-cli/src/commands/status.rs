//! `status`: redundancy, space, disks.

use crate::app::App;
use crate::host::activity::Activity;
use crate::host::times::now_rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, Cell, DIM, GOOD, Text, WARN};
use crate::pool::disks::{Disk, DiskState};
use crate::pool::job_report::JobReport;
use crate::pool::jobs::JobState;
use crate::pool::judge::{DiskCounts, Judgement, Verdict};
use crate::pool::open::{Seen, look};
use crate::pool::reasons::Reason;
use crate::pool::session::Session;
use crate::pool::stored::Extents;
use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;

/// How a pool is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// The verdict.
    status: Verdict,
    /// When it was looked at, RFC 3339 in UTC.
    timestamp: String,
    /// The pool.
    pool: PoolStatus,
    /// Disks, counted.
    disks: DiskCounts,
    /// Extents, counted; null where part of the pool's tree cannot be read.
    extents: Option<Extents>,
    /// Space, in bytes.
    capacity: Capacity,
    /// The disks, in the order of pool.toml.
    members: Vec<Disk>,
    /// The last scrub; null where its record cannot be read.
    scrub: Option<JobReport>,
    /// The last rebuild; null where its record cannot be read.
    rebuild: Option<JobReport>,
    /// Why the verdict is not "healthy", the worst first.
    reasons: Vec<Reason>,
    /// What the process does that has the pool, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
}

/// The pool as a whole.
#[derive(Debug, Serialize, JsonSchema)]
struct PoolStatus {
    /// What it is called on this machine.
    name: String,
    /// Its identity.
    id: String,
    /// Its folder.
    folder: String,
    /// The scheme of new files.
    scheme: String,
    /// Disks that may fail without losing the pool's own records, when all is well.
    tolerance: u8,
    /// More disks that may simply be gone before something cannot be read, or the pool is not opened.
    read_tolerance: usize,
    /// More disks that may simply be gone before the pool takes no writes, or is not opened.
    write_tolerance: usize,
    /// More disks that may fail before data is lost, whether the pool is opened without them or not.
    data_tolerance: usize,
    /// More disks that may fail before the pool takes no writes, if each is taken offline before it goes.
    write_tolerance_if_offline_first: usize,
    /// The last commit.
    generation: u64,
    /// Files, directories and links.
    objects: u64,
    /// Bytes of their contents.
    content_bytes: u64,
}

/// Space on all disks that take part, in bytes.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct Capacity {
    /// All of it, redundancy included.
    raw_bytes: u64,
    /// Of that in use.
    used_bytes: u64,
    /// Of that free.
    free_bytes: u64,
    /// Of that free once it is needed: it belonged to what was deleted or replaced.
    reclaimable_bytes: u64,
    /// Contents in the pool's scheme that are sure to fit, as `capacity` tells it; null where the records
    /// that tell cannot be read.
    usable_free_bytes: Option<u64>,
}

pub(crate) fn run(app: &App) -> Result<Exit, Failure> {
    let Seen { value, activity } = look(app, Status::of)?;
    app.out.report(&Status { activity, ..value })?;
    Ok(Exit::Done)
}

impl Status {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let Judgement { verdict, reasons, disks, counts, extents, health, tolerance, room, scrub, rebuild } =
            Judgement::of(session)?;
        let block = u64::from(health.block_bytes);
        let (free, dead) = (health.free_blocks * block, health.dead_blocks * block);
        let raw = health.blocks * block;
        Ok(Self {
            status: verdict,
            timestamp: now_rfc3339(),
            pool: PoolStatus {
                name: session.config.shown_name(),
                id: session.parameters.pool.to_string(),
                folder: session.config.folder.shown().to_string(),
                scheme: health.scheme.to_string(),
                tolerance: health.tolerance,
                read_tolerance: tolerance.read(),
                write_tolerance: tolerance.write(),
                data_tolerance: tolerance.data,
                write_tolerance_if_offline_first: tolerance.offline_first(),
                generation: health.generation.0,
                objects: health.objects,
                content_bytes: health.content_bytes,
            },
            disks: counts,
            extents,
            capacity: Capacity {
                raw_bytes: raw,
                used_bytes: raw.saturating_sub(free + dead),
                free_bytes: free,
                reclaimable_bytes: dead,
                usable_free_bytes: room.map(|room| room.filled.usable_bytes),
            },
            members: disks,
            scrub,
            rebuild,
            reasons,
            activity: None,
        })
    }
}

/// What is to be said of extents below nodes that cannot be read.
const UNKNOWN: &str = "not known: part of the tree cannot be read";

/// Extents by what is left of them, for people.
fn extents_words(extents: &Extents) -> String {
    let Extents { total, complete, readable, unreadable } = extents;
    let style = if *unreadable > 0 { BAD } else { Style::new() };
    format!(
        "{total}: {complete} complete, {readable} degraded but readable, {style}{unreadable} unreadable{style:#}"
    )
}

/// How many more disks may be gone, for people.
pub(crate) fn borne(read: usize, write: usize) -> String {
    let [read, write] = [read, write].map(|disks| size::count(disks as u64, "more disk"));
    format!("{read} may fail for reading, {write} for writing")
}

/// The style of a verdict.
pub(crate) const fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Healthy => GOOD,
        Verdict::Warning | Verdict::Degraded => WARN,
        Verdict::Critical | Verdict::Unknown => BAD,
    }
}

/// The word for a verdict.
pub(crate) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "HEALTHY",
        Verdict::Warning => "WARNING",
        Verdict::Degraded => "DEGRADED",
        Verdict::Critical => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    }
}

impl Report for Status {
    fn text(&self, text: &mut Text) {
        let style = verdict_style(self.status);
        let place = if self.pool.folder.is_empty() { &self.pool.name } else { &self.pool.folder };
        let is_called = !place.ends_with(&self.pool.name);
        let name = if is_called { format!("{} in ", self.pool.name) } else { String::new() };
        // A pool that is named by its disks alone may be called by its identity.
        let id =
            if *place == self.pool.id { String::new() } else { format!(" {DIM}{}{DIM:#}", self.pool.id) };
        text.field("pool", format_args!("{name}{place}{id}"));
        text.field("status", format_args!("{style}{}{style:#}", verdict_word(self.status)));
        if let Some(activity) = &self.activity {
            text.field("in use", format_args!("by {}", activity.words()));
        }
        for reason in &self.reasons {
            text.line(format_args!("{:11} {}: {}", "", code_name(reason), reason.message));
        }
        let (read, write) = (self.pool.read_tolerance, self.pool.write_tolerance);
        text.field("redundancy", format_args!("{}; {}", self.pool.scheme, borne(read, write)));
        text.field("extents", self.extents.as_ref().map_or_else(|| UNKNOWN.into(), extents_words));
        text.field(
            "contents",
            format_args!(
                "{} in {}",
                text.size(self.pool.content_bytes),
                size::count(self.pool.objects, "object")
            ),
        );
        let capacity = self.capacity;
        let (used, raw) = (text.size(capacity.used_bytes), text.size(capacity.raw_bytes));
        let usable = capacity.usable_free_bytes.map_or_else(|| "an unknown amount".into(), |n| text.size(n));
        let percent = (capacity.used_bytes * 100).checked_div(capacity.raw_bytes).unwrap_or(0);
        text.field(
            "space",
            format_args!("{used} of {raw} in use ({percent} %); room for {usable} of contents"),
        );
        let jobs = [&self.scrub, &self.rebuild].into_iter().flatten();
        for job in jobs.filter(|job| job.state != JobState::None) {
            let ended = job.completed().map_or_else(String::new, |ended| format!(", ended {ended}"));
            text.field(job.job.word(), format_args!("{}{ended}", job.state.words()));
        }
        text.line("");
        disk_table(text, &self.members);
    }
}

fn code_name(reason: &Reason) -> String {
    serde_json::to_value(reason.code)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

/// The word for a disk's state.
pub(crate) fn state_word(state: DiskState) -> String {
    let value = serde_json::to_value(state).ok();
    value.and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// The disks as a table.
pub(crate) fn disk_table(text: &mut Text, disks: &[Disk]) {
    let row = |disk: &Disk| -> Vec<Cell> {
        let style = match disk.state {
            DiskState::Online | DiskState::Spare => GOOD,
            DiskState::Behind
            | DiskState::Degraded
            | DiskState::Offline
            | DiskState::Draining
            | DiskState::Drained
            | DiskState::Leaving
            | DiskState::Left
            | DiskState::Adding => WARN,
            _ => BAD,
        };
        let known = disk.size_bytes > 0;
        let sized = |bytes: u64| if known { text.size(bytes) } else { "-".into() };
        vec![
            disk.name.clone().into(),
            Cell::styled(state_word(disk.state), style),
            disk.member.map_or_else(|| "-".into(), |member| member.to_string()).into(),
            sized(disk.size_bytes).into(),
            sized(disk.size_bytes.saturating_sub(disk.free_bytes)).into(),
            sized(disk.free_bytes).into(),
            disk.errors.to_string().into(),
            match (&disk.note, disk.witness) {
                (Some(note), _) => note.clone(),
                (None, true) => "witness: holds no data".into(),
                (None, false) => String::new(),
            }
            .into(),
        ]
    };
    let rows: Vec<_> = disks.iter().map(row).collect();
    text.table(
        &["DISK", "STATE", "MEMBER", "SIZE", "USED", "FREE", "ERRORS", "NOTE"],
        &[2, 3, 4, 5, 6],
        &rows,
    );
}
