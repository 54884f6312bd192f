//! `pool`: what the pool is called on this machine.

use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::names;
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::config::Config;
use schemars::JsonSchema;
use serde::Serialize;

/// What to do with the pool.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Call the pool by another name than its folder's; pool.toml keeps it
    Rename {
        /// Its new name
        name: String,
    },
}

/// A pool that has another name now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoolRenamed {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// What it was called.
    old: String,
    /// What it is called now.
    new: String,
}

impl Report for PoolRenamed {
    fn text(&self, text: &mut Text) {
        let done = if self.dry_run { "would be called" } else { "is called" };
        text.line(format_args!("pool {} {done} {}", self.old, self.new));
    }

    fn is_answer(&self) -> bool {
        self.dry_run
    }
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    let Command::Rename { name } = command;
    names::check_printable(name, "a pool")?;
    let mut config = Config::load_to_rename(app)?;
    let old = config.shown_name();
    config.name = Some(name.clone());
    if !app.global.dry_run {
        config.save()?;
    }
    app.out.report(&PoolRenamed { dry_run: app.global.dry_run, old, new: name.clone() })?;
    Ok(Exit::Done)
}
