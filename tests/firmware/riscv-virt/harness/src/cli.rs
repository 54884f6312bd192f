//! `dynamicfs` on the board's disks, which it is given by their paths alone.

use crate::folder;
use crate::images::{COUNT, Images};
use crate::program;
use std::path::PathBuf;
use std::process::Command;
use workload::Tree;

/// The program, and the disks that it is given.
#[derive(Debug)]
pub struct Cli {
    disks: Vec<PathBuf>,
    folder: PathBuf,
}

impl Cli {
    /// With all disks.
    pub fn new(images: &Images) -> Self {
        Self::with(images, [true; COUNT])
    }

    /// With these of the disks.
    pub fn with(images: &Images, present: [bool; COUNT]) -> Self {
        let paths = images.paths().into_iter().zip(present);
        let disks = paths.filter(|(_, present)| *present).map(|(path, _)| path).collect();
        Self { disks, folder: images.folder().to_owned() }
    }

    /// Runs a command, which must succeed; what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let (code, said) = self.try_run(arguments);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// Runs a command: its exit code, and what it prints, with its command line before it where it fails.
    pub fn try_run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.command(arguments);
        let output = command.output().expect("dynamicfs starts");
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match output.status.code() {
            Some(0) => (Some(0), stdout),
            code => (code, format!("{command:?}\n{stdout}{stderr}")),
        }
    }

    /// A command that has not been started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("DYNAMICFS"));
        command.env_remove("DYNAMICFS_POOL").arg("--disk").args(&self.disks).args(arguments);
        command
    }

    /// The number of the last transaction that the pool holds.
    pub fn sequence(&self) -> u32 {
        let (code, said) = self.try_run(&["cat", "/sequence"]);
        match code {
            Some(0) => said.parse().unwrap_or_else(|_| panic!("`{said}` is no number")),
            // None was made yet.
            Some(1) if said.contains("not found") => 0,
            _ => panic!("{said}"),
        }
    }

    /// Holds the pool to what this transaction leaves: all contents, and every checksum.
    pub fn verify(&self, tree: &Tree) {
        self.run(&["check"]);
        self.compare(tree);
    }

    /// Holds the contents to what this transaction leaves.
    pub fn compare(&self, tree: &Tree) {
        let fetched = self.folder.join("fetched");
        self.run(&["get", "-r", "/", fetched.to_str().expect("the folder's name is text")]);
        let differences = folder::differences(tree, &fetched);
        assert!(differences.is_empty(), "after transaction {}: {differences:#?}", tree.sequence());
        std::fs::remove_dir_all(fetched).expect("what was fetched goes away");
    }
}
