//! `verify`: every fragment of some files is read and proved.

use super::locate::FragmentState;
use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::progress::{Progress, Unit};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, DIM, GOOD, Text, WARN};
use crate::pool::files::{Chosen, FailedPath};
use crate::pool::member_names::Names;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{Node, PoolPath};
use crate::pool::session::Session;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintenance::{Located, Standing, Work};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Bad fragments of a file that text lists.
const SHOWN_MAX: usize = 10;

/// What to verify.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    chosen: Chosen,
    /// Rewrite the bad fragments that are found
    #[arg(long)]
    pub(crate) repair: bool,
}

/// What was verified, and how it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verification {
    /// How the worst of the files is.
    result: Condition,
    /// Files that were looked at.
    files: u64,
    /// Files by how they are.
    counts: Counts,
    /// Extents.
    extents: u64,
    /// Fragments that were read and are right.
    fragments: u64,
    /// Bytes of these.
    bytes: u64,
    /// Fragments that a disk gave wrongly or not at all.
    bad_fragments: u64,
    /// Fragments that are not there, or not to be trusted.
    missing_fragments: u64,
    /// Bad fragments that were rewritten; they count as bad all the same.
    repaired_fragments: u64,
    /// Seconds that it took.
    seconds: f64,
    /// Bytes in each of these seconds.
    bytes_per_second: u64,
    /// The files that are not complete.
    findings: Vec<FileFinding>,
    /// What could not be looked at, and why.
    failed: Vec<FailedPath>,
}

/// Files by how they are.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Counts {
    /// Every fragment is there and right, in the scheme that was asked for.
    complete: u64,
    /// Something is bad or missing, and everything can be read.
    readable: u64,
    /// Some of it cannot be read.
    unreadable: u64,
}

/// How a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Condition {
    /// Every fragment is there and right, in the scheme that was asked for, or is so again.
    Complete,
    /// Something is bad or missing, and everything can be read.
    Readable,
    /// Some of it cannot be read.
    Unreadable,
}

/// A file that is not complete, or was not.
#[derive(Debug, Serialize, JsonSchema)]
struct FileFinding {
    #[serde(flatten)]
    path: ToldPath,
    /// The path as a command is given it in a shell.
    #[serde(skip)]
    typed_path: String,
    /// How it is now.
    result: Condition,
    /// Fragments that a disk gave wrongly or not at all.
    bad: Vec<BadFragment>,
    /// Fragments that are not there, or not to be trusted.
    missing_fragments: u64,
    /// Extents with less redundancy than was asked for, beside what is bad or missing.
    short_extents: u64,
    /// Bytes that cannot be read.
    unreadable: Vec<Lost>,
}

/// A fragment that a disk gave wrongly or not at all.
#[derive(Debug, Serialize, JsonSchema)]
struct BadFragment {
    /// The first byte of the file that its extent holds.
    offset: u64,
    /// Which fragment of the extent it is, data first.
    fragment: u8,
    /// The disk.
    disk: String,
    /// Its first block on the disk.
    block: u64,
    /// It was rewritten elsewhere.
    repaired: bool,
}

/// Bytes that cannot be read.
#[derive(Debug, Serialize, JsonSchema)]
struct Lost {
    /// The first of them.
    offset: u64,
    /// How many.
    bytes: u64,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let repair = options.repair && !app.global.dry_run;
    with_pool(app, if options.repair { Access::Write } else { Access::Read }, |session| {
        if repair {
            session.writable()?;
        }
        let files = options.chosen.find(session)?;
        let started = Instant::now();
        let mut progress = Progress::new(&app.out, "verifying", Unit::Bytes, Some(files.bytes()));
        let mut verifier = Verifier {
            names: Names::of(session),
            standing: session.pool.standing(false)?,
            repair,
            done: Verification::new(files.failed),
        };
        let ended = files
            .found
            .iter()
            .try_for_each(|(path, node)| verifier.file(session, path, node, |bytes| progress.advance(bytes)));
        drop(progress);
        let mut done = verifier.done;
        done.seconds = started.elapsed().as_secs_f64();
        done.bytes_per_second = (done.bytes as f64 / done.seconds.max(1e-9)) as u64;
        finish(app, &done, ended)
    })
}

/// Files as they are verified.
struct Verifier {
    names: Names,
    standing: Standing,
    repair: bool,
    done: Verification,
}

impl Verifier {
    /// Verifies a file, and notes what is found. Fails only where the whole is to end.
    fn file(
        &mut self,
        session: &mut Session<'_>,
        path: &PoolPath,
        node: &Node,
        mut progress: impl FnMut(u64),
    ) -> Result<(), Failure> {
        interrupt::check()?;
        let mut finding = FileFinding::new(path);
        let proved = match node.inode.inline {
            true => inline(session, node),
            false => self.extents(session, node, &mut finding, &mut progress),
        };
        match proved {
            Ok(true) => {}
            Ok(false) => return Err(interrupt::interrupted()),
            Err(error) => {
                let failed = FailedPath::new(path, &Failure::object(error, path));
                if !failed.is_loss() {
                    self.done.failed.push(failed);
                    return Ok(());
                }
                // The records that say where its contents are cannot be read.
                finding.unreadable.push(Lost { offset: 0, bytes: node.inode.size });
                self.done.failed.push(failed);
            }
        }
        finding.conclude();
        *match finding.result {
            Condition::Complete => &mut self.done.counts.complete,
            Condition::Readable => &mut self.done.counts.readable,
            Condition::Unreadable => &mut self.done.counts.unreadable,
        } += 1;
        self.done.files += 1;
        self.done.result = self.done.result.max(finding.result);
        if finding.result != Condition::Complete || !finding.bad.is_empty() {
            self.done.findings.push(finding);
        }
        Ok(())
    }

    /// The extents of a file, one after the other; false if it was interrupted.
    fn extents(
        &mut self,
        session: &mut Session<'_>,
        node: &Node,
        finding: &mut FileFinding,
        progress: &mut impl FnMut(u64),
    ) -> Result<bool, Error> {
        let (mut from, mut shown) = (0, 0);
        while let Some(located) = session.pool.locate(node.object, from, &self.standing)? {
            if interrupt::requested() {
                return Ok(false);
            }
            self.extent(session, node, &located, finding)?;
            from = located.end();
            progress(from.min(node.inode.size) - shown);
            shown = from.min(node.inode.size);
        }
        progress(node.inode.size - shown);
        Ok(true)
    }

    fn extent(
        &mut self,
        session: &mut Session<'_>,
        node: &Node,
        located: &Located,
        finding: &mut FileFinding,
    ) -> Result<(), Error> {
        let proof = session.pool.prove(node.object, located.start)?;
        let done = &mut self.done;
        done.extents += 1;
        done.fragments += proof.right as u64;
        done.bytes += proof.right as u64 * u64::from(located.fragment_bytes);
        let states = located.places.iter().map(|place| FragmentState::of(session, place));
        let is_missing =
            |state: &FragmentState| !matches!(state, FragmentState::There | FragmentState::Leaving);
        let missing = states.filter(is_missing).count() as u64;
        finding.missing_fragments += missing;
        done.missing_fragments += missing;
        finding.short_extents += u64::from(missing == 0 && !located.is_complete());
        if !proof.is_readable {
            finding.unreadable.push(Lost { offset: located.start, bytes: located.bytes.into() });
        }
        if proof.wrong.is_empty() {
            return Ok(());
        }
        let still = if self.repair && proof.is_readable {
            repair(session, node, located, &proof.wrong)?
        } else {
            proof.wrong.to_vec()
        };
        for &index in &proof.wrong {
            let address = located.places[usize::from(index)].address;
            let repaired = !still.contains(&index);
            done.bad_fragments += 1;
            done.repaired_fragments += u64::from(repaired);
            finding.bad.push(BadFragment {
                offset: located.start,
                fragment: index,
                disk: self.names.get(address.member.0),
                block: address.block,
                repaired,
            });
        }
        Ok(())
    }
}

/// Contents in the pool's own records are proved when they are read.
fn inline(session: &mut Session<'_>, node: &Node) -> Result<bool, Error> {
    let mut contents = vec![0; node.inode.size as usize];
    session.pool.read(node.object, 0, &mut contents)?;
    Ok(true)
}

/// Has bad fragments rewritten, and proves the extent again: those that are still bad.
fn repair(session: &mut Session<'_>, node: &Node, located: &Located, wrong: &[u8]) -> Result<Vec<u8>, Error> {
    session.pool.order_repairs(node.object, located, wrong);
    while session.pool.health().repairs_waiting > 0 && !interrupt::requested() {
        if session.pool.upkeep(false)? == Work::Nothing {
            break;
        }
    }
    Ok(session.pool.prove(node.object, located.start)?.wrong.to_vec())
}

impl Verification {
    fn new(failed: Vec<FailedPath>) -> Self {
        Self {
            result: Condition::Complete,
            files: 0,
            counts: Counts::default(),
            extents: 0,
            fragments: 0,
            bytes: 0,
            bad_fragments: 0,
            missing_fragments: 0,
            repaired_fragments: 0,
            seconds: 0.0,
            bytes_per_second: 0,
            findings: Vec::new(),
            failed,
        }
    }
}

impl FileFinding {
    fn new(path: &PoolPath) -> Self {
        Self {
            path: path.into(),
            typed_path: path.typed(),
            result: Condition::Complete,
            bad: Vec::new(),
            missing_fragments: 0,
            short_extents: 0,
            unreadable: Vec::new(),
        }
    }

    /// What follows from what was found.
    fn conclude(&mut self) {
        let is_whole = self.missing_fragments + self.short_extents == 0;
        self.result = match self.bad.iter().all(|bad| bad.repaired) {
            _ if !self.unreadable.is_empty() => Condition::Unreadable,
            true if is_whole => Condition::Complete,
            _ => Condition::Readable,
        };
    }

    /// What is wrong, in a few words.
    fn summary(&self) -> String {
        let mut what = Vec::new();
        let repaired = self.bad.iter().filter(|bad| bad.repaired).count() as u64;
        let bad = self.bad.len() as u64 - repaired;
        for (count, word) in [(bad, "bad"), (repaired, "rewritten"), (self.missing_fragments, "missing")] {
            if count > 0 {
                what.push(format!("{} {word}", size::count(count, "fragment")));
            }
        }
        if self.short_extents > 0 {
            let extents = size::count(self.short_extents, "extent");
            what.push(format!("{extents} with less redundancy than was asked for"));
        }
        let lost: u64 = self.unreadable.iter().map(|lost| lost.bytes).sum();
        if lost > 0 {
            what.push(format!("{} cannot be read", size::show(lost, false)));
        }
        what.join(", ")
    }
}

/// Tells how the files are, also if not all of them were looked at.
fn finish(app: &App, done: &Verification, ended: Result<(), Failure>) -> Result<Exit, Failure> {
    app.out.finish(done, ended.err().or_else(|| shortfall(done)).as_ref())
}

/// Why the files are not all complete, if they are not.
fn shortfall(done: &Verification) -> Option<Failure> {
    if done.result == Condition::Unreadable || done.failed.iter().any(FailedPath::is_loss) {
        let files = size::count(done.counts.unreadable.max(1), "file");
        let hint =
            "bring disks back that are away, see `dynamicfs disk list`; what is gone comes from a backup";
        return Some(Failure::new(Code::Unreadable, format!("{files} cannot be read to the end")).hint(hint));
    }
    if !done.failed.is_empty() {
        let what = size::count(done.failed.len() as u64, "path");
        let failure = Failure::new(Code::Partial, format!("{what} could not be looked at"));
        return Some(failure.hint("fix the causes above, and run it again"));
    }
    if done.result != Condition::Readable {
        return None;
    }
    let files = size::count(done.counts.readable, "file");
    let message = format!("{files} can be read, with less redundancy than was asked for");
    let is_bad = |finding: &&FileFinding| finding.bad.iter().any(|bad| !bad.repaired);
    Some(Failure::new(Code::Partial, message).hint(match done.findings.iter().find(is_bad) {
        Some(finding) => format!(
            "rewrite what is bad: `dynamicfs verify --repair {}`, or all of the pool: `dynamicfs scrub start`",
            finding.typed_path
        ),
        None => "see which disks are missing with `dynamicfs disk list`; `dynamicfs rebuild start` puts redundancy back"
            .into(),
    }))
}

impl Report for Verification {
    fn text(&self, text: &mut Text) {
        for finding in &self.findings {
            let (style, word) = match finding.result {
                Condition::Complete => (GOOD, "repaired"),
                Condition::Readable => (WARN, "readable"),
                Condition::Unreadable => (BAD, "unreadable"),
            };
            text.line(format_args!("{style}{word}{style:#} {}: {}", finding.path, finding.summary()));
            for bad in finding.bad.iter().take(SHOWN_MAX) {
                let repaired = if bad.repaired { ", rewritten" } else { "" };
                text.line(format_args!(
                    "  fragment {} at byte {}: {} block {}{repaired}",
                    bad.fragment, bad.offset, bad.disk, bad.block
                ));
            }
            if finding.bad.len() > SHOWN_MAX {
                text.line(format_args!("  and {} more; --json lists them", finding.bad.len() - SHOWN_MAX));
            }
            for lost in finding.unreadable.iter().take(SHOWN_MAX) {
                text.line(format_args!("  bytes {} to {} are lost", lost.offset, lost.offset + lost.bytes));
            }
        }
        for failed in &self.failed {
            text.line(format_args!("{BAD}failed{BAD:#} {}", failed.error.message));
        }
        let Counts { complete, readable, unreadable } = self.counts;
        let rate = size::megabytes_per_second(self.bytes, Duration::from_secs_f64(self.seconds));
        text.line(format_args!(
            "{}: {complete} complete, {readable} readable, {unreadable} unreadable",
            size::count(self.files, "file")
        ));
        text.line(format_args!(
            "{}, {} verified {DIM}in {} ({rate:.1} MB/s){DIM:#}",
            size::count(self.fragments, "fragment"),
            text.size(self.bytes),
            size::duration(Duration::from_secs_f64(self.seconds))
        ));
    }

    fn is_answer(&self) -> bool {
        !self.findings.is_empty()
    }
}
