//! Commands that the program tells to type: taken out of what it printed, and typed in a shell.

use crate::common::{Answer, TestPool, answer};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

/// The words that stand for what the operator has to fill in.
const PLACEHOLDERS: [&str; 7] = ["NEW-DISK", "PATH", "FILE", "DEST", "FOLDER", "ID", "SIZE"];

/// How large a disk is that is filled in.
const NEW_DISK_BYTES: u64 = 64 << 20;

/// All commands in the output, in their order: text in backquotes, in text and in JSON; text behind `next:`;
/// the fields `next`.
pub(crate) fn hints_in(answer: &Answer) -> Vec<String> {
    let mut hints = match serde_json::from_slice(&answer.stdout) {
        Ok(json) => in_json(&json),
        Err(_) => in_text(&answer.text_lossy()),
    };
    hints.extend(in_text(&answer.stderr));
    hints
}

/// The commands in a text.
pub(crate) fn in_text(text: &str) -> Vec<String> {
    let mut hints = Vec::new();
    for line in text.lines() {
        let told = line.split_once("next: ").map(|(_, next)| next);
        let told = told
            .filter(|next| ["dynamicfs ", "mount ", "blockdev ", "ls "].iter().any(|p| next.starts_with(p)));
        match told {
            Some(next) => hints.push(next.trim_end().to_owned()),
            None => hints.extend(in_backquotes(line)),
        }
    }
    hints
}

fn in_backquotes(line: &str) -> impl Iterator<Item = String> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| quoted.starts_with("dynamicfs ")).map(ToOwned::to_owned)
}

fn in_json(json: &Value) -> Vec<String> {
    match json {
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| match value {
                Value::String(next) if name == "next" => vec![next.clone()],
                value => in_json(value),
            });
            each.flatten().collect()
        }
        Value::Array(values) => values.iter().flat_map(in_json).collect(),
        Value::String(text) => in_backquotes(text).collect(),
        _ => Vec::new(),
    }
}

/// A command with something in the place of each word that stands for something. What is given is as a shell
/// takes it; what is not given is made.
pub(crate) fn filled(pool: &TestPool, hint: &str, given: &[(&str, &str)]) -> String {
    let fill = |word: &str| -> String {
        if let Some((_, value)) = given.iter().find(|(placeholder, _)| *placeholder == word) {
            return (*value).to_owned();
        }
        match word {
            "NEW-DISK" => {
                fresh(pool, "new-disk", |path| File::create(path).unwrap().set_len(NEW_DISK_BYTES).unwrap())
            }
            "FILE" => fresh(pool, "file", |path| fs::write(path, b"some bytes").unwrap()),
            "FOLDER" => fresh(pool, "folder", |path| fs::create_dir(path).unwrap()),
            "DEST" => fresh(pool, "dest", |_| {}),
            word if PLACEHOLDERS.contains(&word) => panic!("nothing is given for {word} in `{hint}`"),
            word => word.to_owned(),
        }
    };
    hint.split(' ').map(fill).collect::<Vec<_>>().join(" ")
}

/// The path of something beside the pool that is made anew.
fn fresh(pool: &TestPool, name: &str, make: impl Fn(&Path)) -> String {
    let free = (0..).map(|number| pool.beside(&format!("{name}-{number}"))).find(|path| !path.exists());
    let path = free.unwrap();
    make(&path);
    path.to_str().unwrap().to_owned()
}

/// Runs a line in a shell as an operator types it, beside the pool, whose folder is in the environment.
pub(crate) fn type_line(pool: &TestPool, line: &str) -> Answer {
    type_line_where(pool, &pool.path(), line)
}

/// The same where the environment names another pool.
pub(crate) fn type_line_where(pool: &TestPool, usual: &Path, line: &str) -> Answer {
    let program = Path::new(env!("CARGO_BIN_EXE_dynamicfs"));
    let mut path = OsString::from(program.parent().unwrap());
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell
        .args(["-c", line])
        .current_dir(pool.folder.path())
        .env("PATH", path)
        .env("DYNAMICFS_POOL", usual)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    answer(shell.output().unwrap())
}

/// Types a command that was told, filled in, and confirms what it asks.
pub(crate) fn type_hint(pool: &TestPool, hint: &str, given: &[(&str, &str)]) -> Answer {
    type_hint_where(pool, &pool.path(), hint, given)
}

/// The same where the environment names another pool.
pub(crate) fn type_hint_where(pool: &TestPool, usual: &Path, hint: &str, given: &[(&str, &str)]) -> Answer {
    let line = filled(pool, hint, given);
    type_line_where(pool, usual, &line.replacen("dynamicfs ", "dynamicfs --yes ", 1))
}
