//! `pool`: what the pool is called on this machine.

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
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
}

pub(crate) fn run(app: &App, command: &Command) -> Result<Exit, Failure> {
    let Command::Rename { name } = command;
    if names::printable(name.as_bytes()) != *name {
        let message = format!("`{}` cannot be the name of a pool", names::show(name.as_bytes()));
        return Err(Failure::new(Code::InvalidName, message)
            .hint("use letters, digits and . - _ : + = @ , and no - at the beginning"));
    }
    let mut config = if app.global.dry_run { Config::load(app)? } else { Config::load_to_change(app)? };
    if !config.has_folder() {
        return Err(Failure::new(Code::Usage, "the name is kept in the pool's folder, and none was named")
            .hint("add --pool PATH"));
    }
    let old = config.shown_name();
    config.name = Some(name.clone());
    if !app.global.dry_run {
        config.save()?;
    }
    app.out.report(&PoolRenamed { dry_run: app.global.dry_run, old, new: name.clone() })?;
    Ok(Exit::Done)
}
