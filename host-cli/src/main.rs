//! `dynamicfs`: pools on files and block devices.
//!
//! ```text
//! dispatch.rs   from arguments to an exit code
//! cli.rs        the commands and their arguments
//! commands/     what each command does: one file each
//! pool/         finding, opening and judging a pool
//! app.rs        what every command is given
//! options.rs    options of all commands
//! schemas.rs    the JSON Schemas of all output
//! output/       text and JSON from one model, errors, progress
//! host/         files of this machine: attributes, interrupts, confirmation
//! ```

mod app;
mod cli;
mod commands;
mod dispatch;
mod host;
mod options;
mod output;
mod pool;
mod schemas;

use std::process::ExitCode;

fn main() -> ExitCode {
    dispatch::run()
}
