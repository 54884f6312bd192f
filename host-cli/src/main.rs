//! `dynamicfs`: pools on files and block devices.
//!
//! ```text
//! cli.rs        arguments
//! app.rs        from arguments to an exit code
//! commands/     what each command does: one file each
//! pool/         finding, opening and judging a pool
//! schemas.rs    the JSON Schemas of all output
//! output/       text and JSON from one model, errors, progress
//! host/         files of this machine: attributes, interrupts, confirmation
//! ```

mod app;
mod cli;
mod commands;
mod host;
mod output;
mod pool;
mod schemas;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::run()
}
