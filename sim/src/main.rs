//! `dynamicfs-sim`: runs simulations, looks for failures, makes them smaller and tells their stories.
#![forbid(unsafe_code)]

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(cli::Arguments::parse())
}
