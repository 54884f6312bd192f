//! `disk add`: files or devices become members.
//!
//! 1. Each is looked at, and refused where it cannot be used. Nothing is written.
//! 2. pool.toml lists the places, marked as being added.
//! 3. The pool is mounted with them, and judges all of them. Still nothing is written to a disk.
//! 4. Each becomes a member, and its mark goes.
//!
//! A crash after 2 leaves a place without a member, which the same command finishes, and never a member that
//! pool.toml does not list. A refusal puts pool.toml back.

mod candidate;
mod full_table;

use super::replace::foresee_room;
use crate::app::App;
use crate::commands::init::layout::WITNESS_BYTES;
use crate::commands::init::{DISK_BYTES_MAX, DISK_BYTES_MIN};
use crate::host::confirm::confirm;
use crate::host::stand_in::StandIn;
use crate::output::failure::{Exit, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::config::Config;
use crate::pool::discover::Found;
use crate::pool::open::{Access, with_config};
use crate::pool::session::Session;
use candidate::{Candidate, Made};
use dynamicfs_core::error::MemberError;
use dynamicfs_core::health::DiskStatus;
use dynamicfs_core::types::DiskIndex;
use dynamicfs_core::{AddOptions, DiskOptions};
use full_table::make_rows;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std_host_shim::OsEntropy;

/// What to add.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Files or block devices
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Make each a file of this size if there is none
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::within(DISK_BYTES_MIN, DISK_BYTES_MAX))]
    pub(crate) size: Option<u64>,
    /// Hold it in reserve: it takes the place of a disk that fails
    #[arg(long)]
    pub(crate) spare: bool,
    /// Add a witness: it counts for the quorum and holds no data; a small file is made if there is none
    #[arg(long, conflicts_with = "spare")]
    pub(crate) witness: bool,
    /// Use disks that hold something: a pool, which loses them, or a filesystem
    #[arg(long)]
    pub(crate) force: bool,
}

impl Options {
    /// Bytes of a file that is to be made. What a witness takes is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.size.or(self.witness.then_some(WITNESS_BYTES))
    }
}

/// Disks that were added.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Added {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disks.
    disks: Vec<AddedDisk>,
}

/// A disk that was added.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct AddedDisk {
    /// What it is called.
    pub(crate) name: String,
    /// Where it is.
    #[serde(flatten)]
    path: ToldPath,
    /// Its number; null where nothing was done.
    pub(crate) member: Option<u16>,
    /// Its size in bytes.
    bytes: u64,
    /// It is held in reserve.
    spare: bool,
    /// It counts for the quorum and holds no data.
    witness: bool,
    /// What was on it before; null for nothing.
    held: Option<String>,
    /// The file was made.
    #[serde(skip)]
    pub(crate) made: bool,
}

impl Report for Added {
    fn text(&self, text: &mut Text) {
        for disk in &self.disks {
            let what = match (disk.spare, disk.witness) {
                (true, _) => "spare member",
                (_, true) => "witness, member",
                _ => "member",
            };
            let held = disk.held.as_deref().unwrap_or("nothing");
            let done = match disk.member {
                None => format!("would become a {what}; it holds {held}"),
                Some(member) => format!("is {what} {member}"),
            };
            text.line(format_args!("{} ({}, {}) {done}", disk.name, disk.path, text.size(disk.bytes)));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

impl Options {
    fn to_core(&self) -> AddOptions {
        let disk = DiskOptions::new().witness(self.witness);
        AddOptions::new().spare(self.spare).force(self.force).disk(disk)
    }
}

pub(super) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    if options.force && !app.global.dry_run {
        confirm(
            app,
            "what is on these disks is lost, filesystems too, for the pools that they belong to as well",
            "yes",
        )?;
    }
    let (disks, failure) = add(app, options, None)?;
    if !app.global.dry_run {
        options.paths.iter().for_each(|path| tell_unlisted(app, path));
    }
    app.out.finish(&Added { dry_run: app.global.dry_run, disks }, failure.as_ref())
}

/// Where the disks are named alone no pool.toml lists a new one.
pub(super) fn tell_unlisted(app: &App, path: &Path) {
    let member = Found::at(path).map(|found| found.disk.member.0).filter(|_| !app.global.disk.is_empty());
    if let Some(member) = member {
        app.out.warn(format_args!(
            "name {path} with --disk from now on; `dynamicfs disk online {member} {path} --pool FOLDER` lists it in \
             the pool's folder",
            path = path.typed()
        ));
    }
}

/// Makes disks members, which are to take the place of another, if one is named. The second value says why
/// not all of them became members, where some did.
pub(super) fn add(
    app: &App,
    options: &Options,
    replaces: Option<u16>,
) -> Result<(Vec<AddedDisk>, Option<Failure>), Failure> {
    let before = Config::load_to_change(app)?;
    let candidates = Candidate::look_at_all(&before, options)?;
    let mut config = before.clone();
    let names: Vec<String> = candidates
        .iter()
        .map(|candidate| candidate.list(&mut config, replaces, options))
        .collect::<Result<_, _>>()?;
    if app.global.dry_run {
        let _in_place = stand_in(&mut config, &candidates, &names)?;
        with_config(app, config, Access::Write, |session| {
            judge(app, session, replaces, &candidates, &names, &options.to_core()).map(|_| ())
        })?;
        let report = |(candidate, name): (&Candidate, String)| candidate.report(name, options);
        return Ok((candidates.iter().zip(names).map(report).collect(), None));
    }
    let made = candidates.iter().filter_map(|candidate| candidate.make(options.size()).transpose());
    let made: Vec<Made> = made.collect::<Result<_, _>>()?;
    config.save()?;
    let mut joined = Joined::default();
    let ended = with_config(app, config, Access::Write, |session| {
        joined = join(app, session, (&before, replaces), &candidates, &names, options);
        Ok(())
    });
    let failure = ended.err().or(joined.failure);
    if failure.is_some() {
        let stay = |name: &String| joined.half_done.contains(name);
        put_back(app, &before, &names, stay)?;
    }
    let stays =
        |made: &Made| !joined.half_done.is_empty() || joined.disks.iter().any(|disk| made.is_at(&disk.path));
    made.into_iter().filter(stays).for_each(Made::keep);
    match failure {
        Some(failure) if joined.disks.is_empty() => Err(failure),
        failure => Ok((joined.disks, failure)),
    }
}

/// Lists files in memory for those that would be made. They are there until what is given is dropped.
fn stand_in(
    config: &mut Config,
    candidates: &[Candidate],
    names: &[String],
) -> Result<Vec<StandIn>, Failure> {
    let mut made = Vec::new();
    for (candidate, name) in candidates.iter().zip(names).filter(|(candidate, _)| candidate.is_to_be_made()) {
        let file = StandIn::new(candidate.bytes())?;
        for entry in config.disks.iter_mut().filter(|entry| entry.name == *name) {
            entry.path = file.path();
        }
        made.push(file);
    }
    Ok(made)
}

/// Where the disks are that are to become members. Fails if one of them may not, or there are too many.
fn judge(
    app: &App,
    session: &mut Session<'_>,
    replaces: Option<u16>,
    candidates: &[Candidate],
    names: &[String],
    options: &AddOptions,
) -> Result<Vec<usize>, Failure> {
    session.check_writable()?;
    let places: Vec<usize> = names.iter().filter_map(|name| place_of(session, name)).collect();
    for (candidate, &place) in candidates.iter().zip(&places) {
        if !candidate.is_begun() || !is_member(session, place) {
            session.pool.check_disk(DiskIndex(place), options).map_err(|error| candidate.refused(error))?;
        }
    }
    if !candidates.iter().any(Candidate::is_begun) {
        let bytes: Vec<u64> = candidates.iter().map(Candidate::bytes).collect();
        full_table::foresee(app, session, &bytes, replaces)?;
        if let (Some(old), &[bytes]) = (replaces, bytes.as_slice()) {
            foresee_room(session, old, bytes)?;
        }
    }
    Ok(places)
}

/// What came of making disks members.
#[derive(Default)]
struct Joined {
    disks: Vec<AddedDisk>,
    /// Names of disks that the pool may know and that do not take part.
    half_done: Vec<String>,
    failure: Option<Failure>,
}

/// Makes the disks at these places members: all of them are judged before the first is written to.
fn join(
    app: &App,
    session: &mut Session<'_>,
    (before, replaces): (&Config, Option<u16>),
    candidates: &[Candidate],
    names: &[String],
    options: &Options,
) -> Joined {
    let mut joined = Joined::default();
    let (wanted, options) = (options, options.to_core());
    let mut add_all = || -> Result<(), Failure> {
        let places = judge(app, session, replaces, candidates, names, &options)?;
        session.writable()?;
        if candidates.iter().any(Candidate::is_begun) {
            remove_ghosts(session, before)?;
        }
        let new: Vec<usize> = places.iter().copied().filter(|&place| !is_member(session, place)).collect();
        let left = make_rows(app, session, &new, replaces)?;
        let refused = |candidate: &Candidate, error| match &left {
            Some(old) => full_table::has_left(candidate.refused(error), old),
            None => candidate.refused(error),
        };
        for (candidate, &place) in candidates.iter().zip(&places) {
            // What is a member already is refused, unless it became one when this command was cut short.
            if !candidate.is_begun() || !is_member(session, place) {
                // What is left of it, should this be cut short, is known by that.
                session.config.disks[place].joins = Some(session.pool.next_member().0);
                session.config.save()?;
                let done = session.pool.add_disk(DiskIndex(place), &mut OsEntropy, &options);
                if done.is_err() && is_member(session, place) && !matches!(done, Err(MemberError::TakesPart))
                {
                    joined.half_done.push(session.places[place].entry.name.clone());
                }
                done.map_err(|error| refused(candidate, error))?;
            }
            let health = session.pool.member_health(DiskIndex(place));
            joined.disks.push(AddedDisk {
                member: health.member.map(|member| member.0),
                bytes: health.blocks * u64::from(session.pool.health().block_bytes),
                ..candidate.report(session.places[place].entry.name.clone(), wanted)
            });
        }
        Ok(())
    };
    joined.failure = add_all().err();
    joined
}

fn place_of(session: &Session<'_>, name: &str) -> Option<usize> {
    session.places.iter().position(|place| place.entry.name == name)
}

/// Whether the disk at a place is a member. One that holds another history bears the number of a member, and
/// is none.
fn is_member(session: &Session<'_>, place: usize) -> bool {
    let health = session.pool.member_health(DiskIndex(place));
    health.status != DiskStatus::Diverged
        && health.member.is_some_and(|member| session.row_of(member.0).is_some())
}

/// Removes members that were left by an interrupted addition. They have the number in pool.toml, no disk has
/// their label, and nothing was ever stored on them.
fn remove_ghosts(session: &mut Session<'_>, listed: &Config) -> Result<(), Failure> {
    let members = session.pool.members();
    let away = members.table.minus(members.online).minus(members.unhealed);
    for member in away.iter().filter_map(|row| session.pool.member_in(row)).collect::<Vec<_>>() {
        let number = member.number.0;
        let is_listed = listed.disks.iter().any(|disk| disk.member == Some(number));
        let was_joining = listed.disks.iter().any(|disk| disk.adding && disk.joins == Some(number));
        if was_joining && !is_listed && member.held_blocks == 0 {
            session.pool.remove_member(member.number, false)?;
        }
    }
    Ok(())
}

/// Lists the places again as they were before a refusal, those aside that became members, or half of one.
fn put_back(
    app: &App,
    before: &Config,
    names: &[String],
    stays: impl Fn(&String) -> bool,
) -> Result<(), Failure> {
    let now = Config::load(app)?;
    let mut config = before.clone();
    config.disks = Vec::new();
    for entry in now.disks {
        let is_refused = entry.adding && names.contains(&entry.name) && !stays(&entry.name);
        match before.disks.iter().find(|disk| disk.name == entry.name) {
            _ if !is_refused => config.disks.push(entry),
            Some(old) => config.disks.push(old.clone()),
            None => {}
        }
    }
    config.save()
}
