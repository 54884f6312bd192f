//! `ok-to-remove`: may this disk be pulled now, and may it leave for good? Nothing is changed.

use super::disk::find::{Meant, find};
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text};
use crate::output::typed::addressed;
use crate::pool::disks::{DiskState, MemberState};
use crate::pool::forecast::{Forecast, Rebuild, Space};
use crate::pool::open::{Access, with_pool};
use crate::pool::reasons::ADD_DISK;
use crate::pool::session::Session;
use dynamicfs_core::types::Set;
use schemars::JsonSchema;
use serde::Serialize;

/// Which disk.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its name, path, number or identity
    disk: String,
}

/// Whether a disk may be removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OkToRemove {
    /// The disk.
    disk: String,
    /// It takes part now.
    takes_part: bool,
    /// May it be pulled now, for a while? The exit code follows this.
    pull: Answer,
    /// May it leave for good, so that all has its redundancy without it?
    remove: Answer,
    /// What emptying it would do, before it leaves for good; null where it does not take part.
    drain: Option<Rebuild>,
    /// How the pool would be without it.
    forecast: Forecast,
}

/// Yes or no, and why.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// Yes.
    ok: bool,
    /// Why not; empty if it is.
    obstacles: Vec<Obstacle>,
    /// The next command to type, null if there is none.
    next: Option<String>,
}

/// Why a disk may not be removed.
#[derive(Debug, Serialize, JsonSchema)]
struct Obstacle {
    /// What it is, from a finite list.
    code: ObstacleCode,
    /// The same for people.
    message: String,
}

/// Why a disk may not be removed, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum ObstacleCode {
    /// Contents could not be read without it.
    DataLost,
    /// The pool could not be opened without it.
    PoolCloses,
    /// The pool would take no writes without it.
    PoolReadOnly,
    /// The pool takes no writes now.
    NotWritable,
    /// The other disks are too few for the redundancy that was asked for.
    TooFewDisks,
    /// The other disks have too little room for what it holds.
    TooLittleSpace,
}

impl Answer {
    fn new(obstacles: Vec<Obstacle>, yes: Option<String>, no: Option<String>) -> Self {
        let ok = obstacles.is_empty();
        Self { ok, obstacles, next: if ok { yes } else { no }.map(|next| addressed(&next)) }
    }

    fn text(&self, text: &mut Text, name: &str, yes: &str) {
        match self.ok {
            true => text.field(name, format_args!("{GOOD}yes{GOOD:#}: {yes}")),
            false => text.field(name, format_args!("{BAD}no{BAD:#}")),
        }
        for obstacle in &self.obstacles {
            text.field("", &obstacle.message);
        }
        if let Some(next) = &self.next {
            text.field("", format_args!("next: {next}"));
        }
    }
}

impl Report for OkToRemove {
    fn text(&self, text: &mut Text) {
        let away = if self.takes_part { "" } else { ", which does not take part now" };
        text.field("disk", format_args!("{}{away}", self.disk));
        let written =
            if self.forecast.writable { "and the pool takes writes without it" } else { "for reading" };
        let spare = size::count(self.forecast.read_tolerance as u64, "more disk");
        self.pull.text(
            text,
            "pull it now",
            &format!("nothing is lost, {written}; {spare} may fail meanwhile"),
        );
        self.remove.text(text, "for good", "the other disks have room for its data");
        text.line("");
        text.line("without it:");
        self.forecast.text(text);
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        let answer = OkToRemove::of(session, &options.disk)?;
        app.out.report(&answer)?;
        Ok(if answer.pull.ok { Exit::Done } else { Exit::Refused })
    })
}

impl OkToRemove {
    fn of(session: &mut Session<'_>, disk: &str) -> Result<Self, Failure> {
        let meant = find(session, disk)?;
        meant.member(session)?;
        let rows = meant.rows(session);
        let now = session.pool.forecast_loss(Set::EMPTY)?.footing.writable;
        let forecast = Forecast::of(session, rows)?;
        let is_online = meant.is_online(session);
        let drain = if is_online { Some(Rebuild::of_drain(session, rows)?) } else { None };
        Ok(Self {
            takes_part: is_online,
            pull: pull(&meant, is_online, &forecast, now),
            remove: remove(session, &meant, &forecast, drain, now),
            drain,
            disk: meant.disk.name,
            forecast,
        })
    }
}

/// What would be lost, as an obstacle.
fn data_lost(name: &str, forecast: &Forecast) -> Option<Obstacle> {
    let lost = &forecast.lost;
    forecast.loses().then(|| Obstacle {
        code: ObstacleCode::DataLost,
        message: format!(
            "without {name} {} in {} could not be read",
            size::show(lost.bytes, false),
            size::count(lost.objects, "object")
        ),
    })
}

/// What cannot be read now, and may be on a disk that takes no part, as an obstacle.
fn missing_now(name: &str, is_online: bool, forecast: &Forecast) -> Option<Obstacle> {
    let Forecast { unreadable_now, nodes_unreadable_now, .. } = forecast;
    let missing = unreadable_now + nodes_unreadable_now;
    (!is_online && missing > 0).then(|| Obstacle {
        code: ObstacleCode::DataLost,
        message: format!(
            "{} cannot be read now, and {name} may hold what is missing",
            size::count(missing, "part")
        ),
    })
}

/// May it be pulled as it is, and be put back later? `writable`: the pool takes writes now.
fn pull(meant: &Meant, is_online: bool, forecast: &Forecast, writable: bool) -> Answer {
    let name = &meant.disk.name;
    let lost = data_lost(name, forecast).or_else(|| missing_now(name, is_online, forecast));
    let mut obstacles: Vec<Obstacle> = lost.into_iter().collect();
    if !forecast.opens {
        let message =
            format!("without {name} too few members are left to open the pool: it could hold a newer state");
        obstacles.push(Obstacle { code: ObstacleCode::PoolCloses, message });
    } else if writable && !forecast.writable {
        let message = format!("without {name} the pool takes no writes");
        obstacles.push(Obstacle { code: ObstacleCode::PoolReadOnly, message });
    }
    let no = if forecast.writable_if_offline_first && !forecast.loses() {
        format!("dynamicfs disk offline {name}")
    } else {
        "dynamicfs health".to_owned()
    };
    Answer::new(obstacles, None, Some(no))
}

/// May it leave, after it was emptied, or what it held was rebuilt?
fn remove(
    session: &Session<'_>,
    meant: &Meant,
    forecast: &Forecast,
    drain: Option<Rebuild>,
    writable: bool,
) -> Answer {
    let name = &meant.disk.name;
    let is_online = meant.is_online(session);
    let is_empty = !meant.disk.holds_data || meant.disk.witness;
    let mut obstacles = Vec::new();
    let mut add = |code, message: String| obstacles.push(Obstacle { code, message });
    if !writable {
        add(ObstacleCode::NotWritable, "the pool takes no writes now".into());
    }
    if let Some(Obstacle { code, message }) = missing_now(name, is_online, forecast) {
        add(code, message);
    }
    let others = match meant.row(session) {
        Some(row) => session.pool.members().given.without(row).len(),
        None => 0,
    };
    let health = session.pool.health();
    let needed = usize::from(health.tolerance.max(health.scheme.parity)) + 1;
    let moves = drain.or(forecast.rebuild);
    let is_short = moves.is_some_and(|moves| !moves.has_disks());
    if !is_empty && (others < needed || is_short) {
        let left = size::count(others as u64, "other disk");
        let message = format!("with {left} alone there is less redundancy than was asked for");
        add(ObstacleCode::TooFewDisks, message);
    } else if !is_empty && moves.is_some_and(|moves| moves.space == Space::TooLittle) {
        add(
            ObstacleCode::TooLittleSpace,
            format!("the other disks have too little room for what {name} holds"),
        );
    }
    let yes = match meant.disk.member_state {
        _ if is_empty => format!("dynamicfs disk remove {name}"),
        // It cannot be written that it is being emptied.
        _ if is_online && meant.disk.state != DiskState::ReadOnly => format!("dynamicfs disk drain {name}"),
        Some(MemberState::Failed) => "dynamicfs rebuild start".into(),
        _ => format!("dynamicfs disk fail {name}"),
    };
    Answer::new(obstacles, Some(yes), Some(ADD_DISK.into()))
}
