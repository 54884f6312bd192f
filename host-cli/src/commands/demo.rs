//! `demo`: a pool in a temporary folder loses power, bits and disks, and no data.

mod digest;
mod rot;
mod writer;

use super::check::Check;
use super::disk::replace;
use super::health::Health;
use super::status::Status;
use super::{init, maintenance, put};
use crate::app::App;
use crate::host::interrupt;
use crate::options::Global;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::{Output, Report};
use crate::output::size;
use crate::output::text::{BOLD, DIM, GOOD, Text};
use crate::pool::config::DISKS;
use crate::pool::jobs::{self, JobName};
use crate::pool::open::{Access, with_pool};
use crate::pool::path::PoolPath;
use digest::Digest;
use dynamicfs_core::maintenance::JobOptions;
use dynamicfs_core::types::Scheme;
use include_dir::{Dir, include_dir};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The program's own sources.
static SOURCES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src");

/// Disks of the demo's pool, and those of them that it loses.
const DISK_COUNT: usize = 6;
const LOST: [usize; 2] = [1, 4];

/// Bytes of a disk when little is stored on it.
const DISK_BYTES_MIN: u64 = 64 << 20;

/// Bytes of noise that are stored beside the files, so that there is something large.
const NOISE_BYTES: usize = 4 << 20;

/// Times that the writer is killed.
const CRASHES: u32 = 3;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Your own file or folder, which is stored; by default this program's sources
    path: Option<PathBuf>,
    /// Keep the pool, to look at it
    #[arg(long)]
    keep: bool,
    /// Write until killed: the demo starts this command to kill it
    #[arg(long, hide = true)]
    writer: bool,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Demo {
    /// The steps, in order.
    steps: Vec<Step>,
    /// Seconds in all.
    seconds: f64,
    /// Where the pool is; null if it was removed.
    pool: Option<String>,
    /// How the pool is in the end.
    status: Status,
    /// The verdict in the end.
    health: Health,
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
struct Step {
    /// What was done.
    title: String,
    /// What that proves.
    proves: String,
    /// Figures.
    details: Vec<String>,
    /// Seconds that it took.
    seconds: f64,
}

impl Report for Step {
    fn text(&self, text: &mut Text) {
        let took = size::duration(Duration::from_secs_f64(self.seconds));
        text.line(format_args!("{BOLD}{}{BOLD:#} {DIM}({took}){DIM:#}", self.title));
        for detail in &self.details {
            text.line(format_args!("    {detail}"));
        }
        text.line(format_args!("    {GOOD}proves{GOOD:#} {}", self.proves));
    }

    fn is_answer(&self) -> bool {
        false
    }
}

impl Report for Demo {
    fn text(&self, text: &mut Text) {
        text.line(format_args!("{BOLD}dynamicfs status{BOLD:#}"));
        self.status.text(text);
        text.line("");
        text.line(format_args!("{BOLD}dynamicfs health{BOLD:#}"));
        self.health.text(text);
        text.line("");
        let took = size::duration(Duration::from_secs_f64(self.seconds));
        match &self.pool {
            Some(pool) => text.line(format_args!("all of it took {took}; the pool is in {pool}")),
            None => {
                text.line(format_args!("all of it took {took}; the pool is removed again (--keep keeps it)"))
            }
        }
    }

    fn is_answer(&self) -> bool {
        false
    }
}

/// Steps as they are told.
struct Story {
    out: Output,
    steps: Vec<Step>,
}

impl Story {
    /// Does a step and tells it; `f` adds the figures.
    fn step<T>(
        &mut self,
        title: &str,
        proves: &str,
        f: impl FnOnce(&mut Vec<String>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let mut details = Vec::new();
        let done = f(&mut details);
        // What was cut short did not prove what it should.
        interrupt::check()?;
        let done = done.map_err(|failure| failure.while_doing(title))?;
        let title = format!("{}. {title}", self.steps.len() + 1);
        let step = Step { title, proves: proves.into(), details, seconds: started.elapsed().as_secs_f64() };
        if !self.out.json {
            self.out.report(&step)?;
        }
        self.steps.push(step);
        Ok(done)
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    if options.writer {
        return writer::run(app);
    }
    if app.global.dry_run {
        let message = "a demo has no dry run: it makes a pool in a temporary folder, takes disks away from it, \
            and removes it again";
        return Err(Failure::new(Code::Usage, message).hint("leave --dry-run out: nothing else is touched"));
    }
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("dynamicfs-demo-").tempdir();
    let mut folder = folder.map_err(|error| Failure::host("make a temporary folder", &error))?;
    let mut story = Story { out: app.out, steps: Vec::new() };
    let stage = Stage::new(app, folder.path(), options)?;
    stage.play(&mut story)?;
    let (status, health) =
        with_pool(&stage.app, Access::Read, |session| Ok((Status::of(session)?, Health::of(session)?)))?;
    folder.disable_cleanup(options.keep);
    let pool = options.keep.then(|| stage.pool.shown().to_string());
    let demo = Demo { steps: story.steps, seconds: started.elapsed().as_secs_f64(), pool, status, health };
    app.out.report(&demo)?;
    Ok(Exit::Done)
}

/// Where the demo plays.
struct Stage {
    /// As the demo's own commands are called.
    app: App,
    pool: PathBuf,
    /// What is stored.
    source: PathBuf,
    own: bool,
    noise: PathBuf,
}

impl Stage {
    fn new(app: &App, folder: &Path, options: &Options) -> Result<Self, Failure> {
        let pool = folder.join("pool");
        let source = options.path.clone().unwrap_or_else(|| folder.join("sources"));
        let refused = |error| Failure::host(format_args!("write to {}", folder.shown()), &error);
        if options.path.is_none() {
            fs::create_dir(&source).and_then(|()| SOURCES.extract(&source)).map_err(refused)?;
        }
        let noise = folder.join("noise");
        fs::write(&noise, writer::contents(u64::MAX, NOISE_BYTES)).map_err(refused)?;
        let global = Global {
            pool: Some(pool.clone()),
            quiet: true,
            read_only: false,
            force_degraded: false,
            force_data_loss: false,
            yes: true,
            dry_run: false,
            ..app.global.clone()
        };
        let app = App { out: Output::new(&global), global };
        Ok(Self { app, pool, source, own: options.path.is_some(), noise })
    }

    fn play(&self, story: &mut Story) -> Result<(), Failure> {
        let expected = Digest::of_folder(&self.source)?;
        let disk_bytes = DISK_BYTES_MIN.max(expected.bytes.next_multiple_of(1 << 20));
        story.step("a pool of six disks, 4+2", "nothing but files is needed", |say| {
            self.make(disk_bytes, say)
        })?;
        let title = if self.own { "your files are stored" } else { "this program's sources are stored" };
        story.step(title, "what is stored reads back as it was", |say| self.store(&expected, say))?;
        let title = format!("a writer is killed in the middle of its work, {CRASHES} times");
        story.step(&title, "what was acknowledged is there, what was not is whole or absent", |say| {
            writer::crash(&self.app, &self.pool, CRASHES, say)
        })?;
        story.step("bits rot", "wrong bytes are never returned, and reading repairs them", |say| {
            self.rot(&expected, say)
        })?;
        story.step("two disks fail", "4+2 bears the loss of any two disks", |say| {
            self.lose_disks(&expected, say)
        })?;
        story.step(
            "both are replaced",
            "their data is computed from the others: two more may fail",
            |say| self.replace_disks(disk_bytes, say),
        )?;
        story.step("bits rot once more, unread", "a scrub finds and repairs what no read met", |say| {
            self.scrub(&expected, say)
        })
    }

    fn make(&self, disk_bytes: u64, say: &mut Vec<String>) -> Result<(), Failure> {
        let scheme = Some(Scheme { data: 4, parity: 2 });
        let options = init::Options {
            disks: Some(DISK_COUNT),
            disk_size: Some(disk_bytes),
            scheme,
            ..Default::default()
        };
        let made = init::make(&self.app, &options)?;
        say.push(format!("{}, {DISK_COUNT} files of {}", self.pool.shown(), size::show(disk_bytes, false)));
        say.push(format!("room for {}, any two disks may fail", size::show(made.usable_bytes(), false)));
        Ok(())
    }

    fn store(&self, expected: &Digest, say: &mut Vec<String>) -> Result<(), Failure> {
        let started = Instant::now();
        let stored = put::store(&self.app, &self.source, &path("/files")?)?;
        if let Some(reason) = stored.first_failure() {
            return Err(Failure::new(Code::Partial, reason));
        }
        put::store(&self.app, &self.noise, &path("/noise")?)?;
        say.push(format!(
            "{} stored, durable after {}, and {} of noise",
            size::count(expected.files(), "file"),
            size::duration(started.elapsed()),
            size::show(NOISE_BYTES as u64, false)
        ));
        let read = with_pool(&self.app, Access::Read, |session| Digest::of_pool(session, &path("/files")?))?;
        expected.compare(&read, say)
    }

    fn rot(&self, expected: &Digest, say: &mut Vec<String>) -> Result<(), Failure> {
        let damaged = rot::damage(&self.pool.join(DISKS), &self.source, &self.noise)?;
        say.push(format!("{} flipped, on {}", size::count(damaged.places, "bit"), damaged.disks.join(", ")));
        let noise = Digest::of_folder(&self.noise)?;
        let (repaired, found) = with_pool(&self.app, Access::Write, |session| {
            let read = Digest::of_pool(session, &path("/files")?)?;
            expected.compare(&read, say)?;
            if Digest::of_pool(session, &path("/noise")?)? != noise {
                return Err(Failure::new(Code::Damaged, "noise was read back with other contents"));
            }
            session.tidy();
            let counters = session.pool.health().counters;
            Ok((counters.repairs, counters.fragment_failures))
        })?;
        say.push(format!(
            "{} caught by checksums, {} rewritten",
            size::count(found, "bad fragment"),
            repaired
        ));
        if repaired < damaged.places {
            return Err(Failure::new(
                Code::Damaged,
                format!("only {repaired} of {} bad fragments were rewritten", damaged.places),
            ));
        }
        self.check(say)
    }

    fn lose_disks(&self, expected: &Digest, say: &mut Vec<String>) -> Result<(), Failure> {
        let place = |number: usize| self.pool.join(DISKS).join(format!("disk-{number}.img"));
        let removed = LOST.iter().try_for_each(|&number| fs::remove_file(place(number)));
        removed.map_err(|error| Failure::host("remove a disk", &error))?;
        say.push(format!("disk-{} and disk-{} are gone", LOST[0], LOST[1]));
        with_pool(&self.app, Access::Read, |session| {
            let extents = session.pool.count_extents()?;
            say.push(format!(
                "{}: {} complete, {} degraded but readable, {} unreadable",
                size::count(extents.total, "extent"),
                extents.complete,
                extents.readable,
                extents.unreadable
            ));
            let read = Digest::of_pool(session, &path("/files")?)?;
            say.push(format!(
                "{} reconstructed from the four disks left",
                size::count(session.pool.health().counters.decodes, "extent")
            ));
            expected.compare(&read, say)
        })
    }

    /// New disks for those that are gone.
    fn replace_disks(&self, disk_bytes: u64, say: &mut Vec<String>) -> Result<(), Failure> {
        for (number, lost) in LOST.iter().enumerate() {
            let new = format!("disk-{}", DISK_COUNT + number);
            let options = replace::Options {
                old: format!("disk-{lost}"),
                new: self.pool.join(DISKS).join(format!("{new}.img")),
                size: Some(disk_bytes),
                ..Default::default()
            };
            let replaced = replace::replace(&self.app, &options)?;
            let Some((rebuild, run)) = replaced.rebuild.and_then(|job| job.run().map(|run| (job, run)))
            else {
                return Err(Failure::new(Code::Damaged, "nothing was rebuilt"));
            };
            if let Some(failure) = rebuild.shortfall() {
                return Err(failure);
            }
            say.push(format!(
                "{new} takes the place of disk-{lost}: {} rebuilt, {} read and written in {}",
                size::count(run.repaired, "thing"),
                size::show(run.io_bytes, false),
                size::duration(Duration::from_secs_f64(run.seconds))
            ));
        }
        self.check(say)
    }

    /// Damage that no read meets.
    fn scrub(&self, expected: &Digest, say: &mut Vec<String>) -> Result<(), Failure> {
        let damaged = rot::damage(&self.pool.join(DISKS), &self.source, &self.noise)?;
        say.push(format!("{} flipped, on {}", size::count(damaged.places, "bit"), damaged.disks.join(", ")));
        let job = with_pool(&self.app, Access::Write, |session| {
            maintenance::begin(session, JobName::Scrub, JobOptions::default(), false)?;
            jobs::run(session, JobName::Scrub, None)
        })?;
        if let Some(failure) = job.shortfall() {
            return Err(failure);
        }
        let run = job.run().unwrap_or_default();
        say.push(format!(
            "scrub: {} read and written in {}, {} repaired",
            size::show(run.io_bytes, false),
            size::duration(Duration::from_secs_f64(run.seconds)),
            size::count(run.repaired, "fragment")
        ));
        if run.repaired < damaged.places {
            let message = format!("only {} of {} bad fragments were rewritten", run.repaired, damaged.places);
            return Err(Failure::new(Code::Damaged, message));
        }
        let read = with_pool(&self.app, Access::Read, |session| Digest::of_pool(session, &path("/files")?))?;
        expected.compare(&read, say)?;
        self.check(say)
    }

    /// Everything on the disks is verified.
    fn check(&self, say: &mut Vec<String>) -> Result<(), Failure> {
        let check = with_pool(&self.app, Access::Read, Check::of)?;
        if !check.is_clean() {
            return Err(Failure::new(Code::Damaged, "a check found something")
                .hint("run `dynamicfs demo --keep` and `dynamicfs check`"));
        }
        say.push(format!("check: clean, {}", check.summary()));
        Ok(())
    }
}

fn path(text: &str) -> Result<PoolPath, Failure> {
    PoolPath::new(OsStr::new(text))
}
