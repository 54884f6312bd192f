//! `--force-degraded`: what continuing without the members that are missing gives up, told before anything is
//! written.
//!
//! A command that only reads is served the newest state that is here, and commits nothing. One that writes
//! begins a new history, which cannot be taken back. It names the members that it continues without, and is
//! confirmed. It refuses by itself where something could not be read without them.

use super::histories::MissingDisk;
use super::session::Session;
use crate::app::App;
use crate::host::confirm::confirm;
use crate::output::failure::{Code, Failure};
use crate::output::size;
use dynamicfs_core::maintenance::LossForecast;

/// What is given up, as the members that are here tell.
#[derive(Debug)]
pub(super) struct Price {
    generation: u64,
    epoch: u64,
    /// Members that are continued without.
    members: Vec<String>,
    /// Extents, and those of them that could not be read.
    extents: u64,
    unreadable: u64,
    /// Nodes of the tree that could not be read; of what is below them nothing is known.
    nodes: u64,
    /// Even the members' records could not be.
    records_lost: bool,
}

impl Price {
    /// Of a pool that is mounted for salvage. A disk that was cut is read for what is there, and not
    /// continued with.
    pub(super) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let health = session.pool.health();
        let members = session.pool.members();
        let cut = members.online.minus(members.sound);
        let left_out = members.table.minus(members.sound);
        let name = |row| {
            let member = session.pool.member_in(row)?.number.0;
            let place = session.places.iter().find(|place| place.entry.member == Some(member));
            Some(MissingDisk::new(place, member).to_string())
        };
        let members = left_out.iter().filter_map(name).collect();
        let (told, records_lost) = match session.pool.forecast_loss(cut) {
            Ok(told) => (told, false),
            Err(error) if error.is_loss() => (LossForecast::default(), true),
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            generation: health.generation.0,
            epoch: health.epoch.0,
            members,
            extents: told.extents.total,
            unreadable: told.extents.unreadable,
            nodes: told.nodes_unreadable + told.nodes_lost,
            records_lost,
        })
    }

    const fn loses(&self) -> bool {
        self.unreadable > 0 || self.nodes > 0 || self.records_lost
    }

    /// Whether all that the state lists can be read.
    fn readable(&self) -> String {
        let total = size::count(self.extents, "extent");
        match self {
            Self { records_lost: true, .. } => "the pool's own records cannot be read without them".into(),
            Self { nodes: 1.., .. } => format!(
                "{} of the pool's tree cannot be read without them, nor can the parts below, nor {} of {total} more",
                size::count(self.nodes, "node"),
                self.unreadable
            ),
            Self { unreadable: 1.., .. } => {
                format!("{} of {total} cannot be read without them", self.unreadable)
            }
            _ => format!("everything that it lists can be read ({total})"),
        }
    }

    /// Told beside what a command prints that only reads.
    pub(super) fn warn_reader(&self, app: &App) {
        app.out.warn(format_args!(
            "this is generation {} (epoch {}), the newest that is here; {} could hold a newer one. Nothing is changed",
            self.generation,
            self.epoch,
            self.members.join(", ")
        ));
    }

    /// Tells what would be given up; refuses where that is data that the command was not told to give up.
    fn tell(&self, app: &App) -> Result<String, Failure> {
        let without = self.members.join(", ");
        if self.loses() && !app.global.force_data_loss {
            let message = format!(
                "refused to continue without {without} from generation {}: {}",
                self.generation,
                self.readable()
            );
            return Err(Failure::new(Code::WouldLoseData, message).hint(
                "attach them; `dynamicfs --force-degraded check` names what cannot be read, and changes nothing; \
                 `dynamicfs salvage DEST` copies out what can be; --force-data-loss beside --force-degraded gives it up",
            ));
        }
        Ok(format!(
            "the pool will continue from generation {} (epoch {}) without {without}, which could hold a newer state: that state is given up, and these disks come back only wiped; {}",
            self.generation,
            self.epoch,
            self.readable()
        ))
    }

    /// Says what `--dry-run` would ask.
    pub(super) fn warn_writer(&self, app: &App) -> Result<(), Failure> {
        app.out.warn(format_args!("{} (not done: --dry-run)", self.tell(app)?));
        Ok(())
    }

    /// Asks before it is given up; so are the histories of `others`.
    pub(super) fn confirm(&self, app: &App, others: &[String]) -> Result<(), Failure> {
        let others = others.iter().map(|other| format!("; so is {other}")).collect::<String>();
        confirm(app, &format!("{}{others}", self.tell(app)?), "yes")
    }
}
