//! `whatif`: how the pool would be, after something that has not happened. Nothing is changed.

use super::disk::find::find;
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::forecast::Forecast;
use crate::pool::open::{Access, with_pool};
use dynamicfs_core::types::Set;
use schemars::JsonSchema;
use serde::Serialize;

/// What might happen.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Lose these disks, all at once
    Lose(Lose),
}

/// Disks that might be lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Lose {
    /// Their names, paths, numbers or identities
    #[arg(required = true, value_name = "DISK")]
    disks: Vec<String>,
}

/// How the pool would be.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WhatIf {
    /// The disks that would be lost.
    disks: Vec<LostDisk>,
    /// How the pool would be without them.
    #[serde(flatten)]
    forecast: Forecast,
}

/// A disk that would be lost.
#[derive(Debug, Serialize, JsonSchema)]
struct LostDisk {
    /// What it is called.
    name: String,
    /// It takes part now. Without one that does not, nothing is different.
    takes_part: bool,
}

impl Report for WhatIf {
    fn text(&self, text: &mut Text) {
        let names: Vec<&str> = self.disks.iter().map(|disk| disk.name.as_str()).collect();
        text.field("without", names.join(", "));
        for disk in self.disks.iter().filter(|disk| !disk.takes_part) {
            text.field("", format_args!("{} does not take part now: it is lost already", disk.name));
        }
        self.forecast.text(text);
    }
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    let Command::Lose(lose) = command;
    with_pool(app, Access::Read, |session| {
        let (mut disks, mut rows) = (Vec::new(), Set::EMPTY);
        for disk in &lose.disks {
            let meant = find(session, disk)?;
            meant.member(session)?;
            rows = meant.row(session).map_or(rows, |row| rows.with(row));
            disks.push(LostDisk { takes_part: meant.is_online(session), name: meant.disk.name });
        }
        app.out.report(&WhatIf { disks, forecast: Forecast::of(session, rows)? })?;
        Ok(Exit::Done)
    })
}
