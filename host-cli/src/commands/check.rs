//! `check`: everything is read and verified, every block accounted for; nothing is changed.

use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::progress::{Progress, Unit};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text, WARN};
use crate::output::typed::addressed;
use crate::pool::disks::{self, Disk, DiskState, MemberState};
use crate::pool::member_names::Names;
use crate::pool::open::{Access, with_pool};
use crate::pool::session::Session;
use crate::pool::tree::paths_of;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintenance::{CheckReport, Finding};
use dynamicfs_core::types::{BlockAddress, MemberNumber, ObjectId};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// Findings that JSON lists; the rest is counted.
const LISTED_MAX: usize = 1000;

/// Findings that text lists.
const SHOWN_MAX: usize = 20;

/// Memory for the comparison of free maps: more walks the tree less often.
const SCRATCH_BYTES: usize = 16 << 20;

/// What a check looked at and found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// The verdict.
    result: Outcome,
    /// Tree nodes.
    nodes: u64,
    /// Replicas of tree nodes that were verified.
    replicas: u64,
    /// Extents.
    extents: u64,
    /// Fragments that were verified.
    fragments: u64,
    /// Bytes of fragments that were verified.
    bytes: u64,
    /// Blocks that are allocated.
    allocated_blocks: u64,
    /// Seconds that it took.
    seconds: f64,
    /// Findings, counted by their kind.
    counts: Vec<Count>,
    /// The findings themselves, the first 1000.
    findings: Vec<Found>,
    /// Files that have lost contents.
    lost_files: Vec<ToldPath>,
    /// The next command to type; null where nothing was found.
    next: Option<String>,
}

/// The verdict of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Nothing was found.
    Clean,
    /// Something was found, everything can be recovered.
    Recoverable,
    /// Something is lost.
    Lost,
}

/// How many findings of a kind there are.
#[derive(Debug, Serialize, JsonSchema)]
struct Count {
    /// The kind.
    kind: FindingKind,
    /// How many.
    count: u64,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FindingKind {
    /// No replica of a tree node is right: what it held is lost.
    NodeLost,
    /// A record is not what its key says.
    RecordInvalid,
    /// An extent cannot be read.
    ExtentLost,
    /// Two things refer to one block.
    DoubleUse,
    /// A block is referred to and not allocated.
    Unallocated,
    /// The count of free blocks is wrong.
    FreeCount,
    /// A block is allocated and nothing refers to it.
    Leak,
    /// A record that nothing refers to.
    Stray,
    /// An extent behind its file's end.
    BeyondEnd,
    /// Two fragments of an extent are on one disk.
    SharedMember,
    /// The replicas of a tree node are on fewer disks than there could be.
    NodeDeficit,
    /// A replica of a tree node is unreadable or wrong; others are right.
    NodeReplica,
    /// A fragment is unreadable or wrong; the extent can be read.
    Fragment,
    /// An extent has less redundancy than was asked for.
    Deficit,
    /// A disk takes no part, so that what it holds was not verified.
    Disk,
    /// Something else.
    Other,
}

/// One finding.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    /// What it is.
    kind: FindingKind,
    /// The object that it concerns.
    object: Option<u64>,
    /// The first byte, in the object, that it concerns.
    offset: Option<u64>,
    /// The disk that it is on.
    disk: Option<String>,
    /// The block on the disk.
    block: Option<u64>,
}

impl FindingKind {
    const fn is_loss(self) -> bool {
        matches!(self, Self::NodeLost | Self::RecordInvalid | Self::ExtentLost)
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NodeLost => "tree node lost",
            Self::RecordInvalid => "record invalid",
            Self::ExtentLost => "extent lost",
            Self::DoubleUse => "block used twice",
            Self::Unallocated => "block in use and not allocated",
            Self::FreeCount => "count of free blocks wrong",
            Self::Leak => "block allocated and not in use",
            Self::Stray => "record that nothing refers to",
            Self::BeyondEnd => "extent behind the end of its file",
            Self::SharedMember => "two fragments of an extent on one disk",
            Self::NodeDeficit => "tree node on fewer disks than there could be",
            Self::NodeReplica => "replica of a tree node bad",
            Self::Fragment => "fragment bad",
            Self::Deficit => "extent with less redundancy than asked for",
            Self::Disk => "disk that takes no part, and was not verified",
            Self::Other => "something this version has no word for",
        }
    }
}

pub(crate) fn run(app: &App) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        let check = Check::of(session)?;
        app.out.report(&check)?;
        Ok(match check.result {
            Outcome::Clean => Exit::Done,
            Outcome::Recoverable => Exit::Failed,
            Outcome::Lost => Exit::Damaged,
        })
    })
}

/// Findings as they come.
struct Collector<'s> {
    disks: &'s Names,
    counts: BTreeMap<FindingKind, u64>,
    findings: Vec<Found>,
    lost: Vec<ObjectId>,
}

impl Collector<'_> {
    fn leave_out(&mut self, disk: String) {
        *self.counts.entry(FindingKind::Disk).or_default() += 1;
        let kind = FindingKind::Disk;
        self.findings.push(Found { kind, object: None, offset: None, disk: Some(disk), block: None });
    }

    fn take(&mut self, finding: &Finding) {
        let (kind, object, offset, address) = parts(finding);
        *self.counts.entry(kind).or_default() += 1;
        if kind == FindingKind::ExtentLost {
            self.lost.extend(object);
        }
        if self.findings.len() < LISTED_MAX {
            let disk = address.map(|address| self.disks.get(address.member.0));
            let block = address.filter(|_| kind != FindingKind::FreeCount).map(|address| address.block);
            self.findings.push(Found { kind, object: object.map(|object| object.0), offset, disk, block });
        }
    }
}

/// Members that hold something, or should, and take no part.
fn disks_left_out(session: &mut Session<'_>) -> impl Iterator<Item = String> + use<> {
    let is_left_out = |disk: &Disk| {
        let is_member = disk.member_state.is_some_and(|state| state != MemberState::Failed);
        is_member && !disk.state.takes_part() && (disk.holds_data || disk.state == DiskState::Truncated)
    };
    disks::disks(session).into_iter().filter(move |disk| is_left_out(disk)).map(|disk| disk.name)
}

/// A finding's kind, object, offset and place.
fn parts(finding: &Finding) -> (FindingKind, Option<ObjectId>, Option<u64>, Option<BlockAddress>) {
    use FindingKind as K;
    match *finding {
        Finding::Stray { key } => (K::Stray, Some(key.object()), Some(key.offset()), None),
        Finding::BeyondEnd { object, start } => (K::BeyondEnd, Some(object), Some(start), None),
        Finding::SharedMember { object, start, address } => {
            (K::SharedMember, Some(object), Some(start), Some(address))
        }
        Finding::NodeDeficit { address } => (K::NodeDeficit, None, None, Some(address)),
        Finding::NodeReplica { address } => (K::NodeReplica, None, None, Some(address)),
        Finding::NodeLost { address } => (K::NodeLost, None, None, Some(address)),
        Finding::RecordInvalid { key } => (K::RecordInvalid, Some(key.object()), Some(key.offset()), None),
        Finding::Fragment { object, start, address } => {
            (K::Fragment, Some(object), Some(start), Some(address))
        }
        Finding::Deficit { object, start } => (K::Deficit, Some(object), Some(start), None),
        Finding::ExtentLost { object, start } => (K::ExtentLost, Some(object), Some(start), None),
        Finding::Leak { address } => (K::Leak, None, None, Some(address)),
        Finding::Unallocated { address } => (K::Unallocated, None, None, Some(address)),
        Finding::DoubleUse { address } => (K::DoubleUse, None, None, Some(address)),
        Finding::FreeCount { member, .. } => (K::FreeCount, None, None, Some(at_member(member))),
        _ => (K::Other, None, None, None),
    }
}

const fn at_member(member: MemberNumber) -> BlockAddress {
    BlockAddress { member, block: 0 }
}

impl Check {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let started = Instant::now();
        let names = Names::of(session);
        let mut collector =
            Collector { disks: &names, counts: BTreeMap::new(), findings: Vec::new(), lost: Vec::new() };
        let mut report = CheckReport::default();
        let total = session.pool.health().extents;
        let mut progress = Progress::new(&session.out, "checking", Unit::Things("extents"), Some(total));
        let out = session.out;
        let checked = session.pool.check_contents(&mut report, |finding| match finding {
            Some(finding) => collector.take(finding),
            None => {
                progress.advance(1);
                // The core does not ask whether to continue, and nothing was changed that would have to be
                // put in order.
                if interrupt::requested() {
                    out.failure(&interrupt::interrupted());
                    std::process::exit(Exit::Interrupted as i32);
                }
            }
        });
        let mut stopped = unless_lost(checked)?;
        drop(progress);
        if !stopped {
            let mut scratch = vec![0; SCRATCH_BYTES];
            let compared = session.pool.check_space(&mut scratch, &mut report, |finding| {
                if let Some(finding) = finding {
                    collector.take(finding);
                }
            });
            stopped = unless_lost(compared)?;
        }
        disks_left_out(session).for_each(|name| collector.leave_out(name));
        let Collector { mut counts, findings, lost, .. } = collector;
        if stopped {
            counts.entry(FindingKind::NodeLost).or_insert(1);
        }
        let result = match counts.keys().any(|kind| kind.is_loss()) {
            true => Outcome::Lost,
            false if counts.is_empty() => Outcome::Clean,
            false => Outcome::Recoverable,
        };
        Ok(Self {
            result,
            nodes: report.nodes,
            replicas: report.replicas,
            extents: report.extents,
            fragments: report.fragments,
            bytes: report.bytes,
            allocated_blocks: report.allocated,
            seconds: started.elapsed().as_secs_f64(),
            counts: counts.into_iter().map(|(kind, count)| Count { kind, count }).collect(),
            findings,
            lost_files: paths_of(&mut session.pool, lost)?,
            next: (result != Outcome::Clean).then(|| next(session)),
        })
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.result == Outcome::Clean
    }

    /// How much was verified, for people.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{}, {}, {} verified in {:.1} s",
            size::count(self.replicas, "node replica"),
            size::count(self.fragments, "fragment"),
            size::show(self.bytes, false),
            self.seconds
        )
    }
}

/// What is to be done about what was found. Disks that are away come first: what is lost may be on them.
fn next(session: &mut Session<'_>) -> String {
    let away = |disk: &Disk| disk.member_state.is_some() && !disk.state.takes_part();
    let mut disks = disks::disks(session).into_iter().filter(away).peekable();
    let is_away = disks.peek().is_some();
    addressed(&match disks.find(|disk| disk.state == DiskState::Offline && disk.is_here) {
        Some(disk) => format!("dynamicfs disk online {}", disk.name),
        None if is_away => "dynamicfs disk list".into(),
        None if !session.pool.may_be_written() => "dynamicfs health".into(),
        None => "dynamicfs repair".into(),
    })
}

/// Whether a lost node ended the check early; what is lost is a finding, not a failure of the check.
fn unless_lost(checked: Result<(), Error>) -> Result<bool, Failure> {
    use dynamicfs_core::error::StorageError::NodeUnreadable;
    use dynamicfs_core::error::StorageError::RecordInvalid;
    use dynamicfs_core::error::StorageError::RecordUnsupported;
    match checked {
        Err(Error::Storage(NodeUnreadable { .. } | RecordInvalid { .. } | RecordUnsupported { .. })) => {
            Ok(true)
        }
        checked => Ok(checked.map(|()| false)?),
    }
}

impl Report for Check {
    fn text(&self, text: &mut Text) {
        let (style, word) = match self.result {
            Outcome::Clean => (GOOD, "clean"),
            Outcome::Recoverable => (WARN, "findings, all of them recoverable"),
            Outcome::Lost => (BAD, "data is lost"),
        };
        text.line(format_args!("{style}{word}{style:#}: {}", self.summary()));
        for Count { kind, count } in &self.counts {
            let style = if kind.is_loss() { BAD } else { WARN };
            text.line(format_args!("{style}{count:>8}{style:#}  {}", kind.words()));
        }
        for found in self.findings.iter().take(SHOWN_MAX) {
            let mut line = format!("  {}", found.kind.words());
            if let (Some(object), Some(offset)) = (found.object, found.offset) {
                line += &format!(", object {object} at byte {offset}");
            }
            if let Some(disk) = &found.disk {
                line += &format!(", {disk}");
            }
            if let Some(block) = found.block {
                line += &format!(" block {block}");
            }
            text.line(line);
        }
        let listed = self.findings.len().min(SHOWN_MAX) as u64;
        let all: u64 = self.counts.iter().map(|count| count.count).sum();
        if all > listed {
            text.line(format_args!("  and {} more; --json lists {LISTED_MAX}", all - listed));
        }
        for path in &self.lost_files {
            text.line(format_args!("{BAD}lost contents{BAD:#} {path}"));
        }
        if let Some(next) = &self.next {
            text.line(format_args!("next: {next}"));
        }
    }

    fn is_answer(&self) -> bool {
        !self.is_clean()
    }
}
