//! The sessions in docs/OPERATIONS.md are what the program says: they are run again, from the first to the last, in one pool.
//!
//! The text after `$` in an HTML comment is run as well and not shown. After "the next one is interrupted" a
//! command gets Ctrl-C when it has said how far it is. Numbers, sizes, times and identities may differ from
//! run to run, words may not.
//!
//! `DYNAMICFS_UPDATE_DOCS=1 cargo test -p dynamicfs --test suite -- operations` records them anew.

use crate::common::{signal, sources};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the pool is, for the reader.
const SHOWN: &str = "/data";

/// What is in a line that says how far something is.
const PROGRESS: &str = " %, ";

/// A line of the document, and what it means.
enum Line<'d> {
    Hidden(&'d str),
    NextIsInterrupted,
    Block(bool),
    Command(&'d str),
    Other,
}

fn meaning(line: &str, in_block: bool) -> Line<'_> {
    if let Some(comment) = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
        return match comment.trim() {
            "the next one is interrupted" => Line::NextIsInterrupted,
            comment => comment.strip_prefix("$ ").map_or(Line::Other, Line::Hidden),
        };
    }
    match line {
        "```console" => Line::Block(true),
        "```" if in_block => Line::Block(false),
        _ => line.strip_prefix("$ ").filter(|_| in_block).map_or(Line::Other, Line::Command),
    }
}

/// A folder with a pool, and the program on the way to it.
struct Session {
    folder: tempfile::TempDir,
}

impl Session {
    fn shell(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_dynamicfs"));
        let mut path = std::ffi::OsString::from(program.parent().unwrap());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("DYNAMICFS_POOL", self.folder.path().join("pool"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        shell
    }

    /// What a command prints, as the document shows it.
    fn run(&self, command: &str, interrupted: bool) -> Vec<String> {
        let command = if interrupted { format!("exec {command}") } else { command.to_owned() };
        let mut child = self.shell(&command).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while interrupted && !text.contains(PROGRESS) {
            assert!(output.read_line(&mut text).unwrap() > 0, "{command} does not say how far it is: {text}");
        }
        if interrupted {
            signal(&child, "INT");
        }
        output.read_to_string(&mut text).unwrap();
        let code = child.wait().unwrap().code().unwrap();
        let text = text.replace(self.folder.path().to_str().unwrap(), SHOWN);
        // On a slow machine what takes long says how far it is.
        let is_told = |line: &&str| interrupted || !line.contains(PROGRESS);
        let mut lines: Vec<String> =
            text.lines().filter(is_told).map(|line| line.trim_end().to_owned()).collect();
        if code != 0 {
            lines.push(format!("(exit code {code})"));
        }
        lines
    }
}

/// A line without what differs from run to run.
fn shape(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_measure = word.chars().any(|c| c.is_ascii_digit()) && !word.contains("disk-");
        // Of a disk and a block on it the disk counts.
        let word = if word.starts_with("disk-") { word.split(':').next().unwrap_or(word) } else { word };
        if is_measure { "#" } else { word }
    });
    let mut shape: Vec<&str> = words.collect();
    // "24 ms" and "1.2 s" are measures, as are "0 B" and "3 MiB".
    let units = ["B", "KiB", "MiB", "GiB", "KiB/s", "MiB/s", "GiB/s", "ms", "s", "us", "ms,", "s,", "us,"];
    shape.retain(|word| !units.contains(word));
    shape.dedup();
    shape.join(" ")
}

#[test]
fn the_sessions_in_the_document_are_what_the_program_says() {
    let file: PathBuf = sources().join("../../docs/OPERATIONS.md");
    let document = fs::read_to_string(&file).unwrap();
    let session = Session { folder: tempfile::tempdir().unwrap() };
    let update = std::env::var_os("DYNAMICFS_UPDATE_DOCS").is_some();
    let (mut recorded, mut in_block, mut interrupted, mut commands) = (Vec::new(), false, false, 0);
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        recorded.push(line.to_owned());
        match meaning(line, in_block) {
            Line::Block(begins) => in_block = begins,
            Line::NextIsInterrupted => interrupted = true,
            Line::Other => {}
            Line::Hidden(command) => {
                let said = session.run(command, false);
                let failed = said.last().is_some_and(|last| last.starts_with("(exit code"));
                assert!(!failed, "{command}: {said:#?}");
            }
            Line::Command(command) => {
                commands += 1;
                let said = session.run(command, std::mem::take(&mut interrupted));
                let mut kept = Vec::new();
                while let Some(line) = lines.next_if(|line| *line != "```" && !line.starts_with("$ ")) {
                    kept.push(line);
                }
                // An empty line before the next command is the document's own.
                let gap = kept.last().is_some_and(|line| line.is_empty()) && lines.peek() != Some(&"```");
                if gap {
                    kept.pop();
                }
                if !update {
                    let shapes = |lines: &[&str]| lines.iter().map(|line| shape(line)).collect::<Vec<_>>();
                    let said: Vec<&str> = said.iter().map(String::as_str).collect();
                    assert_eq!(shapes(&kept), shapes(&said), "{command}\n{}", said.join("\n"));
                }
                recorded.extend(said);
                recorded.extend(gap.then(String::new));
            }
        }
    }
    assert!(commands > 20, "{commands} commands");
    if update {
        fs::write(&file, recorded.join("\n") + "\n").unwrap();
    }
}
