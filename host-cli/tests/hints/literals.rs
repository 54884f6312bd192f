//! The commands that the program's sources tell to type: each is the hint of a row, or a named exception.

use super::rows;
use crate::common::sources;
use std::fs;
use std::path::{Path, PathBuf};

/// Literals that hold a command and are no hint, or none that a test can be shown; and why.
const EXCEPTIONS: [(&str, &str); 6] = [
    ("dynamicfs {name}", "the title of a schema"),
    ("dynamicfs --version", "newer_format.rs makes disks of a newer version, and types it"),
    ("dynamicfs demo", "the help: it is tested in demo.rs"),
    ("dynamicfs demo --keep", "what a demo says that has failed, which it never may"),
    ("dynamicfs status{BOLD:#}", "a heading of the demo"),
    ("dynamicfs health{BOLD:#}", "a heading of the demo"),
];

/// A command in a string literal, with what is filled in between braces, and where it stands.
#[derive(Debug)]
struct Told {
    command: String,
    place: String,
}

/// A new hint without a row fails here.
#[test]
fn every_hint_in_the_sources_is_typed_by_a_row() {
    let mut told = Vec::new();
    for file in rust_files(&sources()) {
        let text = fs::read_to_string(&file).unwrap();
        told.extend(commands_of(&text, &file));
    }
    assert!(told.len() > 60, "{} commands", told.len());
    let hints: Vec<&str> = rows::all().map(|row| row.hint).collect();
    let is_typed = |told: &&Told| hints.iter().any(|hint| matches(&told.command, hint));
    let is_excepted = |told: &&Told| EXCEPTIONS.iter().any(|(literal, _)| *literal == told.command);
    let untyped: Vec<String> = told
        .iter()
        .filter(|told| !is_typed(told) && !is_excepted(told))
        .map(|told| format!("{}: `{}`", told.place, told.command))
        .collect();
    assert!(untyped.is_empty(), "no row types these:\n{}", untyped.join("\n"));
    for (literal, _) in EXCEPTIONS {
        assert!(told.iter().any(|told| told.command == literal), "no exception is needed for `{literal}`");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(rust_files(&path)),
            false => files.extend(path.extension().is_some_and(|end| end == "rs").then_some(path)),
        }
    }
    files.sort();
    files
}

/// The commands in the string literals of a source, without its unit tests.
fn commands_of(source: &str, file: &Path) -> Vec<Told> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut told = Vec::new();
    for (line, literal) in literals(source) {
        let place = format!("{}:{line}", file.strip_prefix(sources()).unwrap().to_str().unwrap());
        let commands = commands_in(&literal).into_iter();
        told.extend(commands.map(|command| Told { command, place: place.clone() }));
    }
    told
}

/// What a literal tells to type: what is in backquotes; else all from the program's name on.
fn commands_in(literal: &str) -> Vec<String> {
    let quoted: Vec<String> = literal
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| is_command(quoted))
        .map(ToOwned::to_owned)
        .collect();
    if !quoted.is_empty() {
        return quoted;
    }
    let at = literal.find("dynamicfs ").filter(|_| !literal.contains('`'));
    at.map(|at| literal[at..].to_owned()).filter(|told| is_command(told)).into_iter().collect()
}

/// Whether it is a whole command, and not the beginning of one.
fn is_command(told: &str) -> bool {
    told.starts_with("dynamicfs ") && !told.ends_with(' ')
}

/// The string literals of a source, with the lines in which they begin. Lines that `\` joins are joined.
fn literals(source: &str) -> Vec<(usize, String)> {
    let mut literals = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(at) = rest.find(['"', '/', '\'', '\n']) {
        let from = &rest[at..];
        let passed = match from.as_bytes() {
            [b'/', b'/', ..] => from.find('\n').unwrap_or(from.len()),
            // A character, or a lifetime.
            [b'\'', b'\\', ..] => 2 + from[2..].find('\'').unwrap(),
            [b'\'', b'"', b'\'', ..] => 3,
            [b'"', ..] if rest[..at].ends_with('r') || rest[..at].ends_with('#') => {
                let hashes = rest[..at].chars().rev().take_while(|&c| c == '#').count();
                let end = format!("\"{}", "#".repeat(hashes));
                1 + from[1..].find(&end).unwrap() + end.len()
            }
            [b'"', ..] => {
                let length = length_of_literal(&from[1..]);
                literals.push((line, unescaped(&from[1..=length])));
                length + 2
            }
            _ => 1,
        };
        line += from[..passed].matches('\n').count();
        rest = &from[passed..];
    }
    literals
}

/// Bytes up to the closing quote.
fn length_of_literal(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|character| {
        let is_end = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        is_end
    });
    end.unwrap()
}

fn unescaped(literal: &str) -> String {
    let mut parts = literal.split("\\\n");
    let first = parts.next().unwrap_or_default().to_owned();
    let joined = parts.fold(first, |joined, part| joined + part.trim_start());
    joined.replace("\\\"", "\"").replace("\\n", "\n")
}

/// Whether a command is what a literal becomes when its braces are filled in.
fn matches(literal: &str, command: &str) -> bool {
    // The name of the disk stands there when it is printed.
    if let Some(before) = literal.strip_suffix(" DISK") {
        return command.strip_prefix(before).is_some_and(|name| name.starts_with(" disk-"));
    }
    let Some((before, rest)) = literal.split_once('{') else { return literal == command };
    let Some((_, after)) = rest.split_once('}') else { return literal == command };
    let Some(filled) = command.strip_prefix(before) else { return false };
    (0..=filled.len()).filter(|&at| filled.is_char_boundary(at)).any(|at| matches(after, &filled[at..]))
}
