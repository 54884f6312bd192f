//! The board in QEMU seen from the host, and the host's side of its disks.
//!
//! | module | what it is |
//! |---|---|
//! | [`images`] | the files that are the board's disks |
//! | [`board`] | a running board: orders, answers, its end or its death |
//! | [`logs`] | what a board has logged through `defmt` |
//! | [`cli`] | `dynamicfs` on the same files |
//! | [`folder`] | the workload's tree as a folder of this machine |
//!
//! What goes wrong is a panic that says what is needed to see it again, and leaves the files where they are.

pub mod board;
pub mod cli;
pub mod folder;
pub mod images;
pub mod logs;

pub use board::Board;
pub use cli::Cli;
pub use images::Images;

use std::path::PathBuf;

/// A program that run.sh has built and names.
fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.map(PathBuf::from)
        .unwrap_or_else(|| panic!("{variable} names no program: start the tests with run.sh"))
}
