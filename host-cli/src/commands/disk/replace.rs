//! `disk replace`: a new disk is added; then the old one is emptied and leaves, or, if it is gone, what it held is rebuilt.

use super::add::{self, AddedDisk};
use super::drain::rebuild_due;
use super::find::{Meant, find};
use super::shut::extents_without;
use crate::app::App;
use crate::commands::init::{DISK_BYTES_MAX, DISK_BYTES_MIN};
use crate::commands::maintenance::Throttle;
use crate::host::confirm::confirm;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::config::{Config, DiskEntry, absolute, is_same};
use crate::pool::discover::Found;
use crate::pool::disks::MemberState;
use crate::pool::forecast::{Rebuild, Space};
use crate::pool::job_report::JobReport;
use crate::pool::open::{Access, with_config, with_pool};
use crate::pool::pace::Pace;
use crate::pool::session::Session;
use dynamicfs_core::error::MemberError;
use dynamicfs_core::types::{MemberNumber, Row, Set};
use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Which disk is replaced, and by what.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// The old disk's name, path, number or identity
    pub(crate) old: String,
    /// The new file or block device; what is on it is lost
    pub(crate) new: PathBuf,
    /// Make the new one a file of this size if there is none
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true,
        value_parser = size::within(DISK_BYTES_MIN, DISK_BYTES_MAX))]
    pub(crate) size: Option<u64>,
    /// Use a new disk that holds something: a pool, which loses it, or a filesystem
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) throttle: Throttle,
}

/// A disk that was replaced.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskReplaced {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The old disk.
    old: String,
    /// The new disk.
    new: String,
    /// The old disk took part, and was emptied; else what it held was rebuilt from the others.
    old_was_online: bool,
    /// The old disk has left the pool.
    old_has_left: bool,
    /// The rebuild that moved or rebuilt what the old disk held; null if none ran.
    pub(crate) rebuild: Option<JobReport>,
}

impl Report for DiskReplaced {
    fn text(&self, text: &mut Text) {
        let (old, new) = (&self.old, &self.new);
        let how = if self.old_was_online {
            "which is emptied"
        } else {
            "which is gone: its data comes from the others"
        };
        match (self.dry_run, self.old_has_left) {
            (true, _) => text.line(format_args!("{new} would take the place of {old}, {how}")),
            (_, true) => text.line(format_args!("{new} has taken the place of {old}")),
            (_, false) => text.line(format_args!("{new} will take the place of {old}, {how}")),
        }
        if let Some(rebuild) = &self.rebuild {
            rebuild.text(text);
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(super) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let report = replace(app, options)?;
    let shortfall =
        report.rebuild.as_ref().and_then(JobReport::shortfall).map(|failure| match failure.exit() {
            Exit::Interrupted => failure.hint("run the same command again: it continues"),
            _ => failure,
        });
    app.out.finish(&report, shortfall.as_ref())
}

/// Replaces a disk. What was begun before is continued.
pub(crate) fn replace(app: &App, options: &Options) -> Result<DiskReplaced, Failure> {
    let old = with_pool(app, Access::Plan, |session| find_old(app, session, options))?;
    if options.force && !app.global.dry_run {
        confirm(
            app,
            "what is on the new disk is lost, a filesystem too, for the pool that it belongs to as well",
            "yes",
        )?;
    }
    let (new, added) = match begun_before(app, options, Some(old.member))? {
        Some(name) => (name, None),
        None => {
            let paths = vec![options.new.clone()];
            let to_add = add::Options {
                paths,
                size: options.size,
                force: options.force,
                // A witness is replaced by a witness, a spare by a spare.
                witness: old.witness,
                spare: old.spare,
            };
            let added = add::add(app, &to_add, Some(old.member))?.0.into_iter().next();
            (added.as_ref().map_or_else(String::new, |disk| disk.name.clone()), added)
        }
    };
    let mut report = DiskReplaced {
        dry_run: app.global.dry_run,
        old: old.name.clone(),
        new,
        old_was_online: old.is_online,
        old_has_left: false,
        rebuild: None,
    };
    if app.global.dry_run {
        return Ok(report);
    }
    // Where the disks are named alone the new one is one of them by now.
    let config = Config::load_to_change_with(app, &options.new)?;
    let (rebuild, has_left) = with_config(app, config, Access::Write, |session| {
        session.writable()?;
        if session.row_of(old.member).is_none() {
            return after_leaving(session, &old.name, options.throttle.throttle);
        }
        // By its number: the new disk may have its place, and so its name.
        let meant = find(session, &old.member.to_string())?;
        let marked = check_room(session, &meant, &old.name).and_then(|()| mark(session, &meant, &old.name));
        if let Err(refused) = marked {
            return Err(match take_back(session, added.as_ref()) {
                Ok(()) => refused,
                Err(failure) => {
                    refused.and(format_args!("{} stays a member: {}", report.new, failure.message()))
                }
            });
        }
        empty(session, &meant, options.throttle.throttle)
    })?;
    (report.rebuild, report.old_has_left) = (rebuild, has_left);
    add::tell_unlisted(app, &options.new);
    Ok(report)
}

/// A disk that is to go.
struct Old {
    name: String,
    member: u16,
    witness: bool,
    spare: bool,
    is_online: bool,
}

/// The disk that is replaced, if its loss can be borne.
fn find_old(app: &App, session: &mut Session<'_>, options: &Options) -> Result<Old, Failure> {
    let typed = begun_in_its_place(app, options)?.unwrap_or_else(|| options.old.clone());
    let found = find(session, &typed);
    if !found.as_ref().is_ok_and(|meant| meant.row(session).is_some())
        && let Some(old) = left_before(session, options)?
    {
        return Ok(old);
    }
    let meant = found?;
    let member = meant.member(session)?.0;
    let is_online = meant.is_online(session);
    // Where the pool continues without it by force, that tells and asks what is given up.
    if !is_online && !app.global.force_degraded {
        extents_without(session, &meant, app.global.force_data_loss)?;
    }
    if is_online && !session.row_of(member).is_some_and(|row| holds_nothing(session, row)) {
        check_count(session, &meant.disk.name)?;
    }
    let (witness, spare) = (meant.disk.witness, meant.disk.member_state == Some(MemberState::Spare));
    Ok(Old { name: meant.disk.name, member, witness, spare, is_online })
}

/// Whether a disk can be emptied when another one has come: as many as now are left then.
fn check_count(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let health = session.pool.health();
    let needed = usize::from(health.tolerance.max(health.scheme.parity)) + 1;
    match session.pool.members().given.len() {
        disks if disks < needed => Err(Failure::disk(MemberError::TooFewDisks { needed }, name)),
        _ => Ok(()),
    }
}

/// The old disk, if it has left already in a replacement that did not come to its end.
fn left_before(session: &Session<'_>, options: &Options) -> Result<Option<Old>, Failure> {
    let new = absolute(&options.new)?;
    let config = &session.config;
    let begun =
        config.disks.iter().find(|disk| disk.replaces.is_some() && is_same(&config.path_of(disk), &new));
    Ok(begun.and_then(|disk| {
        let member = disk.replaces.filter(|&member| session.row_of(member).is_none())?;
        let name = options.old.clone();
        let witness = disk.witness;
        Some(Old { name, member, witness, spare: false, is_online: false })
    }))
}

/// The number of the old disk, if a replacement by a disk in its own place did not come to its end. Its name
/// and its path lead to the new one by now.
fn begun_in_its_place(app: &App, options: &Options) -> Result<Option<String>, Failure> {
    let config = Config::load(app)?;
    let (new, old) = (absolute(&options.new)?, absolute(Path::new(&options.old))?);
    let is_begun = |disk: &&DiskEntry| {
        let path = config.path_of(disk);
        let is_old = disk.name == options.old || is_same(&path, &old);
        // Elsewhere the old one has a place of its own, and is found there.
        let is_elsewhere =
            config.disks.iter().any(|other| other.name != disk.name && other.member == disk.replaces);
        let is_here = disk.adding || is_itself(&path, disk);
        disk.replaces.is_some() && is_old && !is_elsewhere && is_here && is_same(&path, &new)
    };
    let begun = config.disks.iter().find(is_begun);
    Ok(begun.and_then(|disk| disk.replaces).map(|member| member.to_string()))
}

/// The new disk's name, if it was added by a replacement that did not come to its end.
fn begun_before(app: &App, options: &Options, old: Option<u16>) -> Result<Option<String>, Failure> {
    let config = Config::load(app)?;
    let whole = absolute(&options.new)?;
    if !config.has_folder() {
        return begun_without_list(app, &whole, old);
    }
    let mut begun = config.disks.iter().filter(|disk| !disk.adding && old.is_some() && disk.replaces == old);
    let is_begun = |disk: &&DiskEntry| {
        let path = config.path_of(disk);
        is_same(&path, &whole) && is_itself(&path, disk)
    };
    Ok(begun.find(is_begun).map(|disk| disk.name.clone()))
}

/// The same where no pool.toml tells: the old disk is on its way out, and the new one is a member.
fn begun_without_list(app: &App, new: &Path, old: Option<u16>) -> Result<Option<String>, Failure> {
    let Some(new) = Found::at(new) else { return Ok(None) };
    with_pool(app, Access::Plan, |session| {
        let member = new.disk.member;
        let is_new =
            new.pool_id() == session.parameters.pool.to_string() && session.row_of(member.0).is_some();
        let is_going = old.is_some_and(|old| {
            let row = session.row_of(old).map(Set::only);
            let roster = session.pool.roster();
            row.is_none_or(|row| !row.and(roster.draining.or(roster.failed).or(roster.departing)).is_empty())
        });
        Ok((is_new && is_going).then(|| session.name_of(member)))
    })
}

/// Whether the disk at a path is the one that was added there, and not another one in its place.
fn is_itself(path: &Path, entry: &DiskEntry) -> bool {
    Found::at(path).is_some_and(|found| entry.id.as_ref().is_none_or(|id| *id == found.id()))
}

/// The old disk is no member any more: an override gave it up, or the pool had no room for another member
/// beside it. Its data is rebuilt, and its place is not listed any more.
fn after_leaving(
    session: &mut Session<'_>,
    old: &str,
    throttle: Option<Pace>,
) -> Result<(Option<JobReport>, bool), Failure> {
    let rebuild = rebuild_due(session, throttle)?;
    // The new one may have its place, and so its name.
    let is_member = |disk: &DiskEntry| disk.member.is_some_and(|member| session.row_of(member).is_some());
    let stays = |disk: &&DiskEntry| disk.name != old || is_member(disk);
    session.config.disks = session.config.disks.iter().filter(stays).cloned().collect();
    session.config.save()?;
    Ok((Some(rebuild), true))
}

/// Whether the other disks, now with the new one, have room for the data of the old one.
fn check_room(session: &mut Session<'_>, meant: &Meant, name: &str) -> Result<(), Failure> {
    let Some(row) = meant.row(session) else { return Ok(()) };
    let rows = Set::only(row);
    let rebuild = match meant.is_online(session) {
        true => Rebuild::of_drain(session, rows)?,
        false => Rebuild::of(session, rows)?,
    };
    has_room(&rebuild, name)
}

/// The same before a new disk of so many bytes is a member. Where the table of members is full, the old one
/// leaves first, and that is judged by itself.
pub(super) fn foresee_room(session: &mut Session<'_>, old: u16, bytes: u64) -> Result<(), Failure> {
    let is_full = session.pool.members().table.len() >= usize::from(session.pool.parameters().members_max);
    let row = session.row_of(old).filter(|&row| !is_full && !holds_nothing(session, row));
    let Some(row) = row else { return Ok(()) };
    let is_lost = !session.pool.members().online.contains(row);
    let rebuild = Rebuild::of_replacement(session, Set::only(row), is_lost, bytes)?;
    let name = session.name_of(MemberNumber(old));
    if rebuild.space == Space::Tight {
        session.out.warn(format_args!(
            "there is barely room for the data of {name}: it fits only if enough free space lies side by side"
        ));
    }
    has_room(&rebuild, &name)
}

/// Fails where what a disk holds finds no room.
fn has_room(rebuild: &Rebuild, name: &str) -> Result<(), Failure> {
    rebuild.has_room(name, "the new disk and the others", "give a larger disk, or remove files")
}

/// Says what is to become of the old disk: it is emptied and leaves, or counts as failed.
fn mark(session: &mut Session<'_>, meant: &Meant, name: &str) -> Result<(), Failure> {
    let member = meant.member(session)?;
    let marked = match (meant.is_online(session), meant.disk.member_state) {
        (true, Some(MemberState::Leaving | MemberState::Departing)) => Ok(()),
        (true, _) => session.pool.drain_member(member, true),
        (false, Some(MemberState::Failed)) => Ok(()),
        (false, _) => session.pool.shut_member(member, true),
    };
    marked.map_err(|error| Failure::disk(error, name))
}

/// Takes the new disk out again: a command that is refused changes nothing. The commit that made it a member
/// may have put nodes of the tree on it, which move back.
fn take_back(session: &mut Session<'_>, added: Option<&AddedDisk>) -> Result<(), Failure> {
    let Some((disk, member)) = added.and_then(|disk| Some((disk, disk.member?))) else { return Ok(()) };
    session.pool.drain_member(MemberNumber(member), true)?;
    rebuild_due(session, None)?;
    let place = session.places.iter().find(|place| place.entry.name == disk.name);
    if let Some(place) = place.filter(|_| disk.made) {
        fs::remove_file(&place.path)
            .map_err(|error| Failure::host(format_args!("remove {}", place.path.shown()), &error))?;
    }
    Ok(())
}

/// Empties the old disk, or rebuilds what it held; whether it has left then.
fn empty(
    session: &mut Session<'_>,
    old: &Meant,
    throttle: Option<Pace>,
) -> Result<(Option<JobReport>, bool), Failure> {
    let member = old.member(session)?;
    if session.row_of(member.0).is_some_and(|row| holds_nothing(session, row)) {
        session.pool.remove_member(member, false).map_err(|error| Failure::disk(error, &old.disk.name))?;
        return Ok((None, true));
    }
    let rebuild = rebuild_due(session, throttle)?;
    if let Some(row) = session.row_of(member.0)
        && rebuild.completed().is_some()
        && !rebuild.has_lost()
        && !old.is_online(session)
        && !session.pool.members().unhealed.contains(row)
    {
        session.pool.remove_member(member, false).map_err(|error| Failure::disk(error, &old.disk.name))?;
    }
    Ok((Some(rebuild), session.row_of(member.0).is_none()))
}

/// Whether nothing lies on the member in a row: a spare, a witness, one that was emptied.
fn holds_nothing(session: &Session<'_>, row: Row) -> bool {
    let is_witness = session.pool.member_in(row).is_some_and(|member| member.witness);
    session.pool.roster().vacant.contains(row) || is_witness
}
