//! A terminal, at which the program asks and a test types.

use pty_process::blocking::{Command, Pty, open};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};

/// What a terminal sends for Ctrl-C.
pub(crate) const CTRL_C: &str = "\x03";

/// The program at a terminal of its own; its standard output goes elsewhere.
pub(crate) struct Terminal {
    pty: Pty,
    pub(crate) child: Child,
    /// What was shown so far.
    pub(crate) shown: String,
}

impl Terminal {
    pub(crate) fn run<S: AsRef<OsStr>>(pool: &Path, arguments: impl IntoIterator<Item = S>) -> Self {
        Self::sized(pool, arguments, 24, 80)
    }

    pub(crate) fn sized<S: AsRef<OsStr>>(
        pool: &Path,
        arguments: impl IntoIterator<Item = S>,
        rows: u16,
        columns: u16,
    ) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(pty_process::Size::new(rows, columns)).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_dynamicfs")).args(arguments);
        let program = program
            .env("DYNAMICFS_POOL", pool)
            .env("TERM", "xterm")
            .env_remove("COLUMNS")
            .stdout(Stdio::piped());
        let child = program.spawn(pts).unwrap();
        Self { pty, child, shown: String::new() }
    }

    /// Reads what is shown until it ends like this.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "`{text}` was never shown: {}", self.shown);
        }
    }

    /// Reads some of what is shown; false when there is no more.
    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        // A terminal that the last process has left cannot be read any more.
        let bytes = self.pty.read(&mut piece).unwrap_or(0);
        self.shown.push_str(&String::from_utf8_lossy(&piece[..bytes]));
        bytes > 0
    }

    pub(crate) fn type_in(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the program's end; its exit code and what it wrote to standard output. (What it showed last
    /// may be lost with its terminal, which hangs up when it ends.)
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        while self.read() {}
        let mut output = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        (self.child.wait().unwrap().code(), output)
    }
}
