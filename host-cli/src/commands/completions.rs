//! `completions`: what completes commands and options in a shell, from the definitions that the program reads
//! them by.

use crate::app::App;
use crate::cli::Arguments;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::Text;
use clap::CommandFactory;
use clap_complete::Shell;
use schemars::JsonSchema;
use serde::Serialize;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// What completes commands in a shell.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Completions {
    /// The shell.
    shell: String,
    /// What the shell has to read.
    script: String,
}

impl Report for Completions {
    fn text(&self, text: &mut Text) {
        text.line(self.script.trim_end());
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    app.out.report(&Completions { shell: options.shell.to_string(), script })?;
    Ok(Exit::Done)
}
