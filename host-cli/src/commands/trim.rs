//! `trim`: free space given back to the disks.

use super::disk::find::{Meant, find};
use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::progress::{Progress, Unit};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, Cell, DIM, Text, WARN};
use crate::pool::open::{Access, with_pool};
use crate::pool::session::Session;
use crate::pool::{below, disks};
use dynamicfs_core::error::Error;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::maintenance::{Trim, TrimOptions, Work};
use dynamicfs_core::types::DiskIndex;
use dynamicfs_hal::DiskArray;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::{Duration, Instant};

/// What to trim.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Disks, by name, path, number or identity; without one, all that take part
    #[arg(value_name = "DISK")]
    disks: Vec<String>,
    /// Skip runs of free space that are shorter
    #[arg(long, value_name = "SIZE", default_value = "0", allow_hyphen_values = true,
        value_parser = size::parse)]
    minimum: u64,
}

/// What was given back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trimmed {
    /// Nothing was discarded: `--dry-run`. What is said is what would be.
    dry_run: bool,
    /// Runs that are shorter were left as they are, in bytes.
    minimum_bytes: u64,
    /// Bytes that were discarded, on all disks together.
    discarded_bytes: u64,
    /// Bytes that nothing refers to any more and that are not free yet: later commits make them so.
    waiting_bytes: u64,
    /// Seconds that it took.
    seconds: f64,
    /// The disks.
    disks: Vec<TrimmedDisk>,
}

/// What was given back to a disk.
#[derive(Debug, Serialize, JsonSchema)]
struct TrimmedDisk {
    /// What it is called in pool.toml.
    disk: String,
    /// Its number in the pool.
    member: u16,
    /// What became of it.
    result: Outcome,
    /// Bytes of it that are free.
    free_bytes: u64,
    /// Bytes that were discarded.
    discarded_bytes: u64,
    /// Runs that they are in.
    runs: u64,
    /// Why it was not trimmed to its end.
    note: Option<String>,
}

/// What became of the trim of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// All of its free space was given back.
    Trimmed,
    /// All of its free space would be given back, if it does discards.
    WouldTrim,
    /// It does no discards.
    NoDiscards,
    /// It refused one. It stays in use.
    Refused,
    /// It takes no part, or holds no data: it was left alone.
    LeftAlone,
    /// It was interrupted before it was done.
    Interrupted,
}

impl Outcome {
    const fn words(self) -> &'static str {
        match self {
            Self::Trimmed => "trimmed",
            Self::WouldTrim => "would trim",
            Self::NoDiscards => "no discards",
            Self::Refused => "refused",
            Self::LeftAlone => "left alone",
            Self::Interrupted => "interrupted",
        }
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let chosen = choose(session, options)?;
        let started = Instant::now();
        if !app.global.dry_run {
            session.writable()?;
            sweep(session)?;
        }
        let mut trimmed = Trimmed {
            dry_run: app.global.dry_run,
            minimum_bytes: options.minimum,
            discarded_bytes: 0,
            waiting_bytes: 0,
            seconds: 0.0,
            disks: Vec::new(),
        };
        let total = chosen.iter().map(|meant| meant.disk.size_bytes).sum();
        let mut progress = Progress::new(&app.out, "trimming", Unit::Bytes, Some(total));
        let mut before = 0;
        for meant in &chosen {
            let disk = trim(session, meant, &trimmed, |done| progress.reach(before + done))?;
            trimmed.discarded_bytes += disk.discarded_bytes;
            trimmed.disks.push(disk);
            before += meant.disk.size_bytes;
        }
        drop(progress);
        let health = session.pool.health();
        trimmed.waiting_bytes = health.dead_blocks * u64::from(health.block_bytes);
        trimmed.seconds = started.elapsed().as_secs_f64();
        finish(app, &trimmed)
    })
}

/// The disks that are meant. One that is named must take part.
fn choose(session: &mut Session<'_>, options: &Options) -> Result<Vec<Meant>, Failure> {
    let is_named = !options.disks.is_empty();
    let names = match is_named {
        true => options.disks.clone(),
        false => {
            let members = disks::disks(session).into_iter().filter_map(|disk| disk.member);
            members
                .filter(|&member| session.row_of(member).is_some())
                .map(|member| member.to_string())
                .collect()
        }
    };
    let mut chosen: Vec<Meant> = Vec::new();
    for name in &names {
        let meant = find(session, name)?;
        meant.member(session)?;
        if is_named && !meant.is_online(session) {
            return Err(meant.away());
        }
        if chosen.iter().all(|other| other.disk.member != meant.disk.member) {
            chosen.push(meant);
        }
    }
    Ok(chosen)
}

/// Makes free what was removed, as far as that gives back more than it costs.
fn sweep(session: &mut Session<'_>) -> Result<(), Failure> {
    while !interrupt::requested() {
        match session.pool.upkeep(true) {
            Ok(Work::Nothing) => break,
            Ok(_) => {}
            // What is free already is given back all the same.
            Err(Error::Storage(StorageError::NoSpace)) => break,
            // A sweep takes a little room to make more, and there is none below: what is held there, and what
            // is free already, makes some.
            Err(Error::Storage(StorageError::NoSpaceBelow { .. })) => {
                below::make_room(session);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn trim(
    session: &mut Session<'_>,
    meant: &Meant,
    all: &Trimmed,
    mut reach: impl FnMut(u64),
) -> Result<TrimmedDisk, Failure> {
    let member = meant.member(session)?;
    let name = meant.disk.name.clone();
    let mut disk = TrimmedDisk {
        disk: name.clone(),
        member: member.0,
        result: Outcome::LeftAlone,
        free_bytes: meant.disk.free_bytes,
        discarded_bytes: 0,
        runs: 0,
        note: meant.disk.note.clone(),
    };
    let place = meant.place.filter(|_| meant.is_online(session) && !meant.disk.witness);
    let Some(place) = place else { return Ok(disk) };
    let discards = session.pool.array().geometry(place).discard;
    if !all.dry_run && !discards {
        disk.result = Outcome::NoDiscards;
        return Ok(disk);
    }
    let options = TrimOptions::new().minimum_bytes(all.minimum_bytes).only_count(all.dry_run);
    let mut trim = Trim::new(member, options);
    let step = |session: &mut Session<'_>, trim: &mut Trim| {
        session.pool.trim_step(trim).map_err(|error| Failure::from(error).while_doing(&name))
    };
    disk.result = if all.dry_run { Outcome::WouldTrim } else { Outcome::Trimmed };
    loop {
        if interrupt::requested() {
            disk.result = Outcome::Interrupted;
            break;
        }
        let goes_on = step(session, &mut trim)?;
        reach(trim.done_bytes());
        if !goes_on {
            break;
        }
    }
    if let Some(error) = trim.refused() {
        (disk.result, disk.note) = (Outcome::Refused, Some(format!("it refused a discard: {error}")));
    }
    let health = session.pool.member_health(DiskIndex(place));
    disk.free_bytes = health.free_blocks * u64::from(session.pool.health().block_bytes);
    (disk.discarded_bytes, disk.runs) = (trim.discarded_bytes(), trim.runs());
    Ok(disk)
}

fn finish(app: &App, trimmed: &Trimmed) -> Result<Exit, Failure> {
    let of = |result| trimmed.disks.iter().filter(move |disk| disk.result == result);
    let refused: Vec<&str> = of(Outcome::Refused).map(|disk| disk.disk.as_str()).collect();
    let failure = if of(Outcome::Interrupted).next().is_some() {
        let message = "the trim was interrupted; what was given back is given back";
        Some(Failure::new(Code::Interrupted, message).hint("run the same command again to finish"))
    } else if !refused.is_empty() {
        let message = format!("{} refused a discard, and stays in use", refused.join(", "));
        let hint = "no data is lost; see the state of the disks with `dynamicfs disk list`";
        Some(Failure::new(Code::Partial, message).hint(hint))
    } else {
        None
    };
    app.out.finish(trimmed, failure.as_ref())
}

impl Report for Trimmed {
    fn text(&self, text: &mut Text) {
        let row = |disk: &TrimmedDisk| -> Vec<Cell> {
            let result = match disk.result {
                Outcome::Refused => Cell::styled(disk.result.words(), BAD),
                Outcome::Interrupted => Cell::styled(disk.result.words(), WARN),
                _ => disk.result.words().into(),
            };
            vec![
                disk.disk.clone().into(),
                result,
                text.size(disk.discarded_bytes).into(),
                disk.runs.to_string().into(),
                text.size(disk.free_bytes).into(),
                disk.note.clone().unwrap_or_default().into(),
            ]
        };
        let rows: Vec<_> = self.disks.iter().map(row).collect();
        text.table(&["DISK", "RESULT", "DISCARDED", "RUNS", "FREE", "NOTE"], &[2, 3, 4], &rows);
        let discarded = text.size(self.discarded_bytes);
        match self.dry_run {
            true => text.line(format_args!("{discarded} would be given back, by disks that do discards")),
            false => {
                let took = size::duration(Duration::from_secs_f64(self.seconds));
                text.line(format_args!("{discarded} given back {DIM}in {took}{DIM:#}"));
            }
        }
        if self.waiting_bytes > 0 {
            let waiting = text.size(self.waiting_bytes);
            let next = match self.dry_run {
                true => "a trim frees them first, as far as that is worth its writes",
                false => "later commits free them",
            };
            text.line(format_args!("{waiting} more are no longer in use; {next}"));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run || self.disks.iter().any(|disk| disk.result == Outcome::Refused)
    }
}
