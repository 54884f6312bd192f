//! A job as its record says, and what this command did of it.

use super::away::{self, Away};
use super::jobs::{JobName, JobState};
use super::session::Session;
use super::tree::paths_of;
use super::whole::Whole;
use crate::host::activity::Activity;
use crate::host::times::rfc3339;
use crate::output::failure::{Code, Failure};
use crate::output::names::ToldPath;
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text, WARN};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintenance;
use dynamicfs_core::maintenance::{JobKind, Lost};
use dynamicfs_core::types::{ObjectId, Row, Set};
use dynamicfs_hal::UnixTime;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// What the members in these rows are called.
fn names_of(session: &Session<'_>, rows: Set<Row>) -> Vec<String> {
    let name = |row| match session.pool.member_in(row) {
        Some(member) => session.name_of(member.number),
        None => "a disk that has left".to_owned(),
    };
    rows.iter().map(name).collect()
}

/// A job, as its record says, and what this command did of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct JobReport {
    /// Which job.
    pub(crate) job: JobName,
    /// How it goes.
    pub(crate) state: JobState,
    /// What absent members held counts as lost, and is rebuilt elsewhere.
    absent_is_lost: bool,
    /// Things that it found wanting, in all passes.
    pub(crate) found: u64,
    /// Those of them that it repaired.
    pub(crate) healed: u64,
    /// Those of them that are lost.
    pub(crate) lost: u64,
    /// Things with less redundancy than was asked for, which the disks that there are cannot hold.
    short: u64,
    /// Bytes that a scrub did not read: they are on disks that were away, or stopped answering.
    pub(crate) unread_bytes: u64,
    /// Those disks.
    unread_disks: Vec<String>,
    /// Bytes that the last pass has met.
    done_bytes: u64,
    /// Bytes that a pass comes to, about; null if that is not known.
    total_bytes: Option<u64>,
    /// When it was started, RFC 3339 in UTC.
    started: Option<String>,
    /// When it ended, RFC 3339 in UTC.
    ended: Option<String>,
    /// End of the last scrub that read every copy, RFC 3339 in UTC; null if there was none, or unknown, or
    /// for another job.
    last_whole: Option<String>,
    /// Seconds until it ends if it continues as this command did, about; null when it is over, or that is not
    /// known.
    eta_seconds: Option<u64>,
    /// What this command did of it; null if it only looked.
    this_run: Option<Run>,
    /// What is lost, the first 64.
    lost_items: Vec<LostItem>,
    /// Files that have lost contents, as far as directories can be read.
    lost_files: Vec<ToldPath>,
    /// Extents of those, without what was removed since.
    #[serde(skip)]
    pub(crate) extents_lost: u64,
    /// The process that continues with it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
    #[serde(skip)]
    whole: Whole,
    #[serde(skip)]
    pub(super) started_seconds: i64,
    /// Members that take no part, and may have what is lost: each with what brings it back.
    #[serde(skip)]
    may_have: Vec<Away>,
}

/// What one command did of a job.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Run {
    /// Bytes that were done before.
    pub(super) from_bytes: u64,
    /// Things that were repaired.
    pub(crate) repaired: u64,
    /// Bytes that were read from and written to the disks.
    pub(crate) io_bytes: u64,
    /// Seconds.
    pub(crate) seconds: f64,
    /// Bytes in each of these seconds.
    pub(super) bytes_per_second: u64,
    /// It was interrupted before the end.
    #[serde(skip)]
    pub(super) interrupted: bool,
}

/// Something that is lost.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct LostItem {
    /// What it is.
    kind: LostKind,
    /// The object.
    object: u64,
    /// The first byte of it that is lost; null for a node.
    offset: Option<u64>,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LostKind {
    /// An extent.
    Extent,
    /// A node of the tree, with all records from this object on that were in it.
    Node,
}

impl JobReport {
    /// As the record says, and the process that continues with it, if one does.
    pub(crate) fn of(session: &mut Session<'_>, kind: JobKind) -> Result<Self, Failure> {
        let beside = session.beside.clone();
        Ok(Self::recorded(session, kind)?.while_active(beside))
    }

    /// As the record says. Of a job that is under way it says nothing else than of one that was interrupted.
    fn recorded(session: &mut Session<'_>, kind: JobKind) -> Result<Self, Failure> {
        let mut report = Self {
            job: kind.into(),
            state: JobState::None,
            absent_is_lost: false,
            found: 0,
            healed: 0,
            lost: 0,
            short: 0,
            unread_bytes: 0,
            unread_disks: Vec::new(),
            done_bytes: 0,
            total_bytes: None,
            started: None,
            ended: None,
            last_whole: None,
            eta_seconds: None,
            this_run: None,
            lost_items: Vec::new(),
            lost_files: Vec::new(),
            extents_lost: 0,
            activity: None,
            whole: Whole::of(session, 0),
            started_seconds: 0,
            may_have: Vec::new(),
        };
        let Some(job) = session.pool.job(kind)? else { return Ok(report) };
        let block = u64::from(session.pool.health().block_bytes);
        let time = |seconds: i64| (seconds != 0).then(|| rfc3339(UnixTime { seconds, nanoseconds: 0 }));
        report.state = match job.state {
            maintenance::JobState::Running => JobState::Interrupted,
            maintenance::JobState::Paused => JobState::Paused,
            maintenance::JobState::Cancelled => JobState::Cancelled,
            maintenance::JobState::Complete => JobState::Complete,
            maintenance::JobState::Incomplete => JobState::Incomplete,
            maintenance::JobState::Waiting => JobState::Waiting,
        };
        report.absent_is_lost = job.options.absent;
        // What an earlier pass found and could not repair, the last one found again.
        report.found = job.healed_before + job.found;
        (report.healed, report.lost) = (job.healed_before + job.healed, job.failed.into());
        report.short = job.short;
        if report.job == JobName::Rebuild && report.state == JobState::Complete && report.short > 0 {
            // It did all that the disks allow, and redundancy is not what it should be.
            report.state = JobState::Incomplete;
        }
        report.done_bytes = job.done * block;
        report.total_bytes = (job.total > 0).then_some(job.total * block);
        (report.started, report.ended) = (time(job.started), time(job.ended));
        (report.unread_bytes, report.unread_disks) = (job.unread * block, names_of(session, job.unread_rows));
        report.started_seconds = job.started;
        report.whole = Whole::of(session, job.whole);
        report.last_whole = report.whole.ended().and_then(time);
        if job.failed > 0 {
            session.pool.lost_items(kind, |lost| report.lost_items.extend(item(lost)))?;
            let objects = report.lost_items.iter().map(|item| ObjectId(item.object));
            report.lost_files = paths_of(&mut session.pool, objects.collect())?;
            report.extents_lost = extents_left(session, &report);
            report.may_have = away::may_have(session);
        }
        Ok(report)
    }

    /// As it is while another process has the pool: that continues with it, if it says so.
    fn while_active(mut self, activity: Option<Activity>) -> Self {
        let word = self.job.word();
        let goes_on = |activity: &Activity| activity.progress.as_ref().is_some_and(|work| work.label == word);
        self.activity = activity.filter(goes_on);
        if let Some(progress) = self.activity.as_ref().and_then(|activity| activity.progress.as_ref()) {
            (self.state, self.done_bytes) = (JobState::Running, progress.done.max(self.done_bytes));
            self.total_bytes = progress.total.or(self.total_bytes);
        }
        self
    }

    /// With what a command did of it.
    pub(super) fn after(mut self, run: Run) -> Self {
        let done = self.done_bytes.saturating_sub(run.from_bytes);
        let waits = matches!(self.state, JobState::Interrupted | JobState::Paused);
        self.eta_seconds = self.total_bytes.filter(|_| waits && done > 0).map(|total| {
            let left = total.saturating_sub(self.done_bytes);
            (left as f64 * run.seconds / done as f64).ceil() as u64
        });
        self.this_run = Some(run);
        self
    }

    /// When every copy was last read.
    pub(crate) const fn whole(&self) -> Whole {
        self.whole
    }

    /// When the last scrub ended that read every copy.
    pub(crate) fn last_whole(&self) -> Option<&str> {
        self.last_whole.as_deref()
    }

    /// When it came to its end, if it did.
    pub(crate) fn completed(&self) -> Option<&str> {
        let is_over = matches!(self.state, JobState::Complete | JobState::Incomplete | JobState::Waiting);
        self.ended.as_deref().filter(|_| is_over)
    }

    /// What this command did of it.
    pub(crate) const fn run(&self) -> Option<Run> {
        self.this_run
    }

    /// Why a command that continued with it did not do all that was wanted.
    pub(crate) fn shortfall(&self) -> Option<Failure> {
        let word = self.job.word();
        if self.this_run.is_some_and(|run| run.interrupted) {
            let message = format!("the {word} was interrupted; its work so far is kept");
            return Some(
                Failure::new(Code::Interrupted, message)
                    .hint(format!("continue with `dynamicfs {word} resume`")),
            );
        }
        if let Some(loss) = self.loss() {
            return Some(loss);
        }
        match self.state {
            JobState::Incomplete => {
                let message = format!(
                    "{} could not be repaired: there is no space, or no disk for it",
                    size::count(self.left().max(self.short), "thing")
                );
                Some(Failure::new(Code::Partial, message).hint(format!(
                    "add a disk with `dynamicfs disk add NEW-DISK`, then start it again: `dynamicfs {word} start`"
                )))
            }
            JobState::Interrupted | JobState::Paused => {
                let message = format!("the {word} {}", self.state.words());
                // To the command that continued with it a pause is as Ctrl-C.
                let code = if self.this_run.is_some() { Code::Interrupted } else { Code::Partial };
                Some(Failure::new(code, message).hint(format!("continue with `dynamicfs {word} resume`")))
            }
            JobState::None
            | JobState::Running
            | JobState::Cancelled
            | JobState::Complete
            | JobState::Waiting => None,
        }
    }

    /// What is lost, and what is to be done about it.
    pub(crate) fn loss(&self) -> Option<Failure> {
        if self.lost == 0 {
            return None;
        }
        let lost = size::count(self.lost, "thing");
        if !self.may_have.is_empty() {
            let ways: Vec<String> = self.may_have.iter().map(Away::way_back).collect();
            let message = format!("{lost} cannot be read with the disks that take part");
            return Some(Failure::new(Code::Damaged, message).hint(format!(
                "bring back what may have it: {}; then `dynamicfs scrub start`",
                ways.join(", ")
            )));
        }
        let hint = match self.lost_files.first().map(ToldPath::typed) {
            Some(path) => format!(
                "take these files from a backup, as with `dynamicfs put FILE {path}`, or remove them, as with \
                 `dynamicfs rm {path}`; then `dynamicfs scrub start`"
            ),
            None if self.is_loss_gone() => {
                "what was lost was removed since: `dynamicfs scrub start` proves that the rest is there"
                    .into()
            }
            None => {
                "see what is damaged with `dynamicfs check`; `dynamicfs salvage DEST` copies out what can \
                     be read"
                    .into()
            }
        };
        Some(Failure::new(Code::Damaged, format!("{lost} lost: nothing is left of it")).hint(hint))
    }

    /// Whether all that was lost was removed since, or replaced, as far as it is listed.
    pub(super) fn is_loss_gone(&self) -> bool {
        let unlisted = self.lost.saturating_sub(self.lost_items.len() as u64);
        self.extents_lost == unlisted && self.lost_items.iter().all(|item| item.kind == LostKind::Extent)
    }

    /// The command that brings back what is lost, where a disk that has it is here.
    pub(super) fn brought_back_by(&self) -> Option<String> {
        self.may_have.iter().find_map(Away::online)
    }

    /// Things that it found and could not repair.
    pub(super) const fn left(&self) -> u64 {
        self.found.saturating_sub(self.healed + self.lost)
    }

    /// Whether this scrub has read everything since another job was begun.
    pub(super) fn is_proof_since(&self, other: &Self) -> bool {
        self.state == JobState::Complete
            && self.unread_bytes == 0
            && self.started_seconds >= other.started_seconds
    }

    /// The same, for a command that makes the pool whole or reads all of it: absent disks are in its way,
    /// too.
    pub(crate) fn missing(&self) -> Option<Failure> {
        let waits = self.state == JobState::Waiting;
        let message = match self.job {
            JobName::Scrub => format!("the scrub did not read everything: {}", self.unread()),
            _ => "redundancy is not complete: disks are not here that may come back".to_owned(),
        };
        self.shortfall().or_else(|| {
            waits.then(|| {
                Failure::new(Code::Partial, message).hint(
                    "see them with `dynamicfs disk list`; attach them or take them online, or do without: `dynamicfs \
                     disk replace DISK NEW-DISK`, or `dynamicfs rebuild start --without-missing`",
                )
            })
        })
    }

    /// What was not read, for people.
    pub(crate) fn unread(&self) -> String {
        format!("{} on {}", size::show(self.unread_bytes, false), self.unread_disks.join(", "))
    }

    /// How it is in text.
    pub(crate) fn text(&self, text: &mut Text) {
        let style = match self.state {
            _ if self.lost > 0 => BAD,
            JobState::Complete => GOOD,
            _ => WARN,
        };
        let word = self.job.word();
        if self.state == JobState::None {
            text.line(format_args!("there was no {word} yet"));
            return;
        }
        text.line(format_args!("{word} {style}{}{style:#}", self.state.words()));
        if let Some(activity) = &self.activity {
            text.field("by", activity.words());
        }
        let ended = self.ended.as_ref().map_or_else(String::new, |ended| format!(", ended {ended}"));
        text.field("started", format_args!("{}{ended}", self.started.as_deref().unwrap_or("-")));
        let total = self.total_bytes.map_or_else(String::new, |total| format!(" of {}", text.size(total)));
        text.field("met", format_args!("{}{total}", text.size(self.done_bytes)));
        text.field(
            "found",
            format_args!("{} to repair, {} repaired, {} lost", self.found, self.healed, self.lost),
        );
        if self.unread_bytes > 0 {
            text.field("not read", format_args!("{WARN}{}{WARN:#}", self.unread()));
        }
        if self.short > 0 {
            let short = size::count(self.short, "thing");
            text.field(
                "short",
                format_args!("{short} with less redundancy than asked for, for want of disks"),
            );
        }
        if let Some(run) = self.this_run {
            let from = if run.from_bytes > 0 {
                format!("continued at {}; ", text.size(run.from_bytes))
            } else {
                String::new()
            };
            text.field(
                "this run",
                format_args!(
                    "{from}{} repaired; {} read and written in {}, {}/s",
                    run.repaired,
                    text.size(run.io_bytes),
                    size::duration(Duration::from_secs_f64(run.seconds)),
                    text.size(run.bytes_per_second)
                ),
            );
        }
        for item in self.lost_items.iter().filter(|_| self.lost_files.is_empty()) {
            let at =
                item.offset.map_or_else(|| "and what follows".into(), |offset| format!("at byte {offset}"));
            text.line(format_args!("{BAD}lost{BAD:#} object {} {at}", item.object));
        }
        for path in &self.lost_files {
            text.line(format_args!("{BAD}lost contents{BAD:#} {path}"));
        }
    }

    /// Whether something is lost, which is named in it.
    pub(crate) const fn has_lost(&self) -> bool {
        self.lost > 0
    }
}

/// How many of the extents that a job found lost are still part of something.
fn extents_left(session: &mut Session<'_>, job: &JobReport) -> u64 {
    let listed = job.lost_items.iter().filter(|item| item.kind == LostKind::Extent);
    let left = listed.filter(|item| {
        let object = session.pool.inode(ObjectId(item.object));
        !matches!(object, Err(Error::NotFound))
    });
    let unlisted = job.lost.saturating_sub(job.lost_items.len() as u64);
    left.count() as u64 + unlisted
}

const fn item(lost: Lost) -> Option<LostItem> {
    match lost {
        Lost::Extent { object, start } => {
            Some(LostItem { kind: LostKind::Extent, object: object.0, offset: Some(start) })
        }
        Lost::Node { object } => Some(LostItem { kind: LostKind::Node, object: object.0, offset: None }),
        _ => None,
    }
}
