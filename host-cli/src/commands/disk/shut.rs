//! `disk offline`, `disk fail` and `disk online`: out of use and in again, as the pool's own records say. `disk clear`.

use super::attach;
use super::find::{Meant, find};
use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::output::typed::{addressed, all_addressed};
use crate::pool::disks::{Disk, DiskState, MemberState};
use crate::pool::open::{Access, with_config, with_pool, with_pool_without};
use crate::pool::session::Session;
use crate::pool::stored::{Extents, Stored};
use dynamicfs_core::types::MemberNumber;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// Which disk is taken out of use.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its name, path, number or identity
    disk: String,
}

/// A disk that was taken out of use, put to use again, or forgiven its errors.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskChanged {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disk, as it is now.
    disk: Disk,
    /// Extents, counted as they are now; with `--dry-run`, as they would be. Null where part of the pool's
    /// tree cannot be read.
    extents: Option<Extents>,
    /// The next command to type; null if there is nothing to do.
    next: Option<String>,
    #[serde(skip)]
    done: (&'static str, &'static str),
}

impl Report for DiskChanged {
    fn text(&self, text: &mut Text) {
        let (done, would) = self.done;
        text.line(format_args!("{} {}", self.disk.name, if self.dry_run { would } else { done }));
        match self.extents {
            Some(Extents { total, readable, unreadable, .. }) => {
                let owed = readable + unreadable;
                let total = size::count(total, "extent");
                text.line(format_args!("{owed} of {total} lack redundancy, {unreadable} cannot be read"));
            }
            None => text
                .line(all_addressed("part of the pool's tree cannot be read: `dynamicfs health` says more")),
        }
        if let Some(next) = &self.next {
            text.line(format_args!("next: {next}"));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(super) fn run(app: &App, options: &Options, failed: bool) -> Result<Exit, Failure> {
    with_pool_without(app, &options.disk, |session| {
        let meant = find(session, &options.disk)?;
        let extents = extents_without(session, &meant, app.global.force_data_loss)?;
        let name = meant.disk.name.clone();
        let member = meant.member(session)?;
        session.check_writable()?;
        check_borne(session, &meant)?;
        if !app.global.dry_run {
            if failed {
                confirm(
                    app,
                    &format!("{name} will be marked as failed, and its data rebuilt elsewhere"),
                    &name,
                )?;
            }
            session.writable()?;
            let shut = session.pool.shut_member(member, failed);
            shut.map_err(|error| Failure::disk(error, &name))?;
        }
        if meant.disk.state == DiskState::Spare && !failed {
            app.out.warn(format_args!("{name} is a spare; online again it is given data, as the others are"));
        }
        let (done, next) = if failed {
            (("is marked as failed", "would be marked as failed"), "dynamicfs rebuild start".to_owned())
        } else {
            (("is out of use", "would be out of use"), format!("dynamicfs disk online {name}"))
        };
        let disk = find(session, &name)?.disk;
        app.out.report(&DiskChanged {
            dry_run: app.global.dry_run,
            disk,
            extents,
            next: Some(addressed(&next)),
            done,
        })?;
        Ok(Exit::Done)
    })
}

/// How the pool would be without a disk; fails if data could not be read then, unless that is forced.
pub(super) fn extents_without(
    session: &mut Session<'_>,
    meant: &Meant,
    force: bool,
) -> Result<Option<Extents>, Failure> {
    let name = &meant.disk.name;
    let rows = meant.rows(session);
    let forecast = session.pool.forecast_loss(rows)?;
    if !forecast.footing.mountable && !forecast.footing.writable_when_shut {
        let why = format!("without {name} the pool could not be opened: too few members would be left");
        return Err(Failure::new(Code::WouldLoseData, why)
            .hint("bring other disks back first; see `dynamicfs disk list`"));
    }
    if (forecast.extents.unreadable > 0 || forecast.nodes_lost > 0) && !force {
        let lost = size::count(forecast.extents.unreadable, "extent");
        return Err(Failure::new(Code::WouldLoseData, format!("without {name} {lost} could not be read"))
            .hint(format!(
                "see which files with `dynamicfs whatif lose {name}`; --force-data-loss takes it out of use all the same"
            )));
    }
    Ok(Stored::told(Some(&forecast)).extents)
}

/// Fails where the pool would take no writes without a disk: what takes it out of use could not be written.
pub(super) fn check_borne(session: &Session<'_>, meant: &Meant) -> Result<(), Failure> {
    let rows = meant.rows(session);
    if session.pool.bears_without(rows) {
        return Ok(());
    }
    let (name, tolerance) = (&meant.disk.name, session.pool.health().tolerance);
    let (why, hint) = match session.pool.members().unhealed.len() as u64 {
        0 => (
            format!("it tolerates the loss of {}", size::count(tolerance.into(), "disk")),
            format!("empty it first: `dynamicfs disk drain {name}`"),
        ),
        away => (
            format!("{} missing or behind already, and it tolerates {tolerance}", size::count(away, "disk")),
            "bring the others back first; `dynamicfs health` says how".to_owned(),
        ),
    };
    let message = format!("without {name} the pool would take no writes: {why}");
    Err(Failure::new(Code::TooFewDisks, message).hint(hint))
}

pub(super) fn online(app: &App, disk: &str, path: Option<&Path>) -> Result<Exit, Failure> {
    let Some(path) = path else {
        return with_pool(app, Access::Write, |session| take_in(app, session, disk));
    };
    let (config, number) = attach::at_path(app, disk, path)?;
    with_config(app, config, Access::Write, |session| take_in(app, session, &number)).map_err(|failure| {
        match app.global.dry_run {
            true => failure,
            false => failure.and(format_args!("pool.toml lists {} at {} now", disk, path.shown())),
        }
    })
}

fn take_in(app: &App, session: &mut Session<'_>, disk: &str) -> Result<Exit, Failure> {
    let meant = find(session, disk)?;
    let member = meant.member(session)?;
    let is_out_of_use = matches!(meant.disk.state, DiskState::Offline | DiskState::Failed);
    if !meant.disk.is_here || !is_out_of_use && !meant.disk.state.takes_part() {
        return Err(meant.away());
    }
    let is_spare = meant.disk.state == DiskState::Spare;
    if !app.global.dry_run {
        session.writable().map_err(|failure| match meant.disk.state {
            DiskState::Offline => failure.hint(format!(
                "`dynamicfs --force-degraded disk online {}` takes it in, and goes on for good without the members that \
                 are missing",
                meant.disk.name
            )),
            _ => failure,
        })?;
        let activated = session.pool.activate_member(member);
        activated.map_err(|error| Failure::disk(error, &meant.disk.name))?;
        // The operator says that it is good: what failed it is over.
        if meant.disk.member_state == Some(MemberState::Failed) {
            clear_errors(session, member, &meant.disk.name)?;
        }
    }
    let meant = find(session, &meant.disk.name)?;
    if !app.global.dry_run && !meant.disk.state.takes_part() {
        // It is in use as far as the records say, and cannot be used.
        return Err(meant.away());
    }
    let disk = meant.disk;
    let extents = Stored::of(session)?.extents;
    let owes = extents.is_some_and(|extents| extents.readable > 0) || disk.state == DiskState::Behind;
    let next = owes.then(|| addressed("dynamicfs rebuild start"));
    app.out.report(&DiskChanged {
        dry_run: app.global.dry_run,
        disk,
        extents,
        next,
        done: match is_spare {
            true => {
                ("is given data from now on, and is not a spare", "would be given data, and not be a spare")
            }
            false => ("takes part again", "would take part again"),
        },
    })?;
    Ok(Exit::Done)
}

fn clear_errors(session: &mut Session<'_>, member: MemberNumber, name: &str) -> Result<(), Failure> {
    session.pool.clear_errors(member).map_err(|error| Failure::disk(error, name))
}

pub(super) fn clear(app: &App, disk: &str) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let meant = find(session, disk)?;
        let member = meant.member(session)?;
        if !app.global.dry_run {
            session.writable()?;
            clear_errors(session, member, &meant.disk.name)?;
        }
        let disk = find(session, &meant.disk.name)?.disk;
        let extents = Stored::of(session)?.extents;
        let done = ("starts again without errors", "would start again without errors");
        app.out.report(&DiskChanged { dry_run: app.global.dry_run, disk, extents, next: None, done })?;
        Ok(Exit::Done)
    })
}
