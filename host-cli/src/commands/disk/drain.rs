//! `disk drain` and `disk remove`: a disk is emptied, and leaves.

use super::find::find;
use super::shut::check_borne;
use crate::app::App;
use crate::commands::maintenance::Throttle;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::output::typed::addressed;
use crate::pool::disks::{DiskState, MemberState};
use crate::pool::forecast::Rebuild;
use crate::pool::job_report::JobReport;
use crate::pool::jobs::{self, JobName};
use crate::pool::open::{Access, with_pool, with_pool_without};
use crate::pool::pace::Pace;
use crate::pool::session::Session;
use dynamicfs_core::maintenance;
use schemars::JsonSchema;
use serde::Serialize;

/// What to empty.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The disk's name, path, number or identity
    disk: String,
    /// Stop emptying it: it takes part again as before
    #[arg(long, conflicts_with = "throttle")]
    cancel: bool,
    /// Only say so; `dynamicfs rebuild start` does the work
    #[arg(long, conflicts_with = "cancel")]
    no_wait: bool,
    #[command(flatten)]
    throttle: Throttle,
}

/// What to remove.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveOptions {
    /// The disk's name, path, number or identity
    disk: String,
}

/// A disk that was emptied, or is not to be any more.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskDrained {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disk.
    disk: String,
    /// What is wanted of it now.
    member_state: Option<MemberState>,
    /// Bytes that it holds.
    held_bytes: u64,
    /// The rebuild that moves what it holds; null if none ran.
    rebuild: Option<JobReport>,
}

impl Report for DiskDrained {
    fn text(&self, text: &mut Text) {
        let held = text.size(self.held_bytes);
        match self.member_state {
            _ if self.dry_run => text.line(format_args!("{} would be changed; it holds {held}", self.disk)),
            Some(MemberState::Drained) => {
                text.line(format_args!(
                    "{0} holds nothing any more; next: {1}",
                    self.disk,
                    addressed(&format!("dynamicfs disk remove {}", self.disk))
                ));
            }
            Some(MemberState::Active) => {
                text.line(format_args!("{} takes part as before; it holds {held}", self.disk))
            }
            _ => text.line(format_args!("{} is being emptied; it holds {held}", self.disk)),
        }
        if let Some(rebuild) = &self.rebuild {
            rebuild.text(text);
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

/// A disk that was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskRemoved {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The disk.
    disk: String,
    /// Where it is.
    path: Option<String>,
    /// Its label was taken off, so that nothing takes it for a member any more.
    label_wiped: bool,
    /// It held data that is to be rebuilt, as far as it can be.
    held_data: bool,
}

impl Report for DiskRemoved {
    fn text(&self, text: &mut Text) {
        let done = if self.dry_run { "would leave" } else { "has left" };
        text.line(format_args!("{} {done} the pool", self.disk));
        if !self.dry_run && self.label_wiped {
            text.line("its label is wiped; the file or device itself is left where it is");
        }
        if !self.dry_run && !self.label_wiped {
            text.line("its label could not be wiped; the pool treats it as foreign all the same");
        }
        if self.held_data {
            let next = addressed("dynamicfs rebuild start");
            text.line(format_args!("its data is missing elsewhere; next: {next}"));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(super) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let report =
            if options.cancel { cancel(app, session, options)? } else { drain(app, session, options)? };
        let shortfall = report.rebuild.as_ref().and_then(JobReport::shortfall);
        app.out.finish(&report, shortfall.as_ref())
    })
}

fn drain(app: &App, session: &mut Session<'_>, options: &Options) -> Result<DiskDrained, Failure> {
    let meant = find(session, &options.disk)?;
    let member = meant.member(session)?;
    if !meant.is_online(session) {
        return Err(meant.away());
    }
    let mut rebuild = None;
    let is_begun = matches!(meant.disk.member_state, Some(MemberState::Draining | MemberState::Drained));
    let refused = |error| Failure::disk(error, &meant.disk.name);
    session.check_writable()?;
    if meant.disk.state == DiskState::Spare {
        let message = format!("{} is a spare, and holds nothing", meant.disk.name);
        return Err(Failure::new(Code::InvalidArgument, message)
            .hint(format!("take it out with `dynamicfs disk remove {}`", meant.disk.name)));
    }
    if !is_begun {
        session.pool.check_drain(member).map_err(refused)?;
        let hint = "add a disk first with `dynamicfs disk add NEW-DISK`, or remove files";
        let moves = Rebuild::of_drain(session, meant.rows(session))?;
        moves.has_room(&meant.disk.name, "the other disks", hint)?;
    }
    if !app.global.dry_run {
        session.writable()?;
        if !is_begun {
            session.pool.drain_member(member, false).map_err(refused)?;
        }
        if !options.no_wait {
            rebuild = Some(rebuild_due(session, options.throttle.throttle)?);
        }
    }
    drained(app, session, &options.disk, rebuild)
}

fn cancel(app: &App, session: &mut Session<'_>, options: &Options) -> Result<DiskDrained, Failure> {
    let meant = find(session, &options.disk)?;
    let member = meant.member(session)?;
    let is_drain = matches!(
        meant.disk.member_state,
        Some(
            MemberState::Draining
                | MemberState::Drained
                | MemberState::Leaving
                | MemberState::Departing
                | MemberState::Failing
        )
    );
    if !is_drain {
        return Err(Failure::new(Code::InvalidArgument, format!("{} is not being emptied", meant.disk.name))
            .hint("see the disks with `dynamicfs disk list`"));
    }
    if !app.global.dry_run {
        session.writable()?;
        session.pool.activate_member(member)?;
        // Nothing is left to be moved; what else is owed begins again.
        session.pool.set_job_state(maintenance::JobKind::Rebuild, maintenance::JobState::Cancelled)?;
    }
    drained(app, session, &options.disk, None)
}

fn drained(
    app: &App,
    session: &mut Session<'_>,
    disk: &str,
    rebuild: Option<JobReport>,
) -> Result<DiskDrained, Failure> {
    let disk = find(session, disk)?.disk;
    Ok(DiskDrained {
        dry_run: app.global.dry_run,
        disk: disk.name,
        member_state: disk.member_state,
        held_bytes: disk.size_bytes.saturating_sub(disk.free_bytes),
        rebuild,
    })
}

/// Goes on with a rebuild, or starts one if it is due.
pub(super) fn rebuild_due(session: &mut Session<'_>, throttle: Option<Pace>) -> Result<JobReport, Failure> {
    let kind = maintenance::JobKind::Rebuild;
    if !jobs::is_rebuild_due(session, false)? {
        return JobReport::of(session, kind);
    }
    session.pool.start_job(kind, maintenance::JobOptions::default())?;
    jobs::run(session, JobName::Rebuild, throttle)
}

pub(super) fn remove(app: &App, options: &RemoveOptions) -> Result<Exit, Failure> {
    with_pool_without(app, &options.disk, |session| {
        let meant = find(session, &options.disk)?;
        let name = meant.disk.name.clone();
        let Some(row) = meant.row(session) else {
            return forget(app, session, &meant);
        };
        let member = meant.member(session)?;
        let is_draining = matches!(
            meant.disk.member_state,
            Some(MemberState::Drained | MemberState::Spare | MemberState::Departing)
        );
        // One that went away since the last commit is owed nothing yet, and something lies on it all the same.
        let away = !meant.is_online(session) && !session.pool.members().unhealed.contains(row);
        let held_data = !is_draining && !away && !meant.disk.witness;
        if held_data && !app.global.force_data_loss {
            let next = if meant.is_online(session) {
                format!("empty it first: `dynamicfs disk drain {name}`")
            } else {
                format!(
                    "have its data rebuilt first: `dynamicfs disk fail {name}`, then `dynamicfs rebuild start`"
                )
            };
            return Err(Failure::new(Code::WouldLoseData, format!("{name} holds data, or is owed some"))
                .hint(format!("{next}; --force-data-loss gives up what it alone holds")));
        }
        session.check_writable()?;
        check_borne(session, &meant)?;
        let mut label_wiped = false;
        if !app.global.dry_run {
            let what = if held_data { "what it alone holds is lost" } else { "it holds nothing" };
            confirm(app, &format!("{name} leaves the pool for good; {what}"), &name)?;
            session.writable()?;
            let removed = session.pool.remove_member(member, held_data);
            label_wiped = removed.map_err(|error| Failure::disk(error, &name))?;
        }
        app.out.report(&DiskRemoved {
            dry_run: app.global.dry_run,
            disk: name,
            path: meant.disk.path,
            label_wiped,
            held_data,
        })?;
        Ok(Exit::Done)
    })
}

/// Takes a place out of pool.toml at which there is no member.
fn forget(app: &App, session: &mut Session<'_>, meant: &super::find::Meant) -> Result<Exit, Failure> {
    if let (Some(place), false) = (meant.place, app.global.dry_run) {
        let what = format!("{} is not a member; pool.toml will not list it any more", meant.disk.name);
        confirm(app, &what, &meant.disk.name)?;
        session.config.disks.remove(place);
        session.config.save()?;
    }
    app.out.report(&DiskRemoved {
        dry_run: app.global.dry_run,
        disk: meant.disk.name.clone(),
        path: meant.disk.path.clone(),
        label_wiped: false,
        held_data: false,
    })?;
    Ok(Exit::Done)
}
