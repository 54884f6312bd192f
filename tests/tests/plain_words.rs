//! The documents in plain words: no sentence has more than 25 words, and none calls a disk, a caller or a
//! program "somebody".
//!
//! Code blocks are passed over, and code in a sentence counts as no word. A cell of a table and an item of a
//! list begin a sentence of their own.

use dynamicfs_tests::mutants::root;
use std::fs;
use std::path::{Path, PathBuf};

/// Words of the longest sentence.
const WORDS_MAX: usize = 25;

/// Words for persons. A document names the disk, the caller, the program, or the operator.
const PERSONS: [&str; 7] = ["anybody", "everybody", "nobody", "somebody", "someone", "whoever", "whomever"];

/// Folders without documents of the project, or with copies of them.
const SKIPPED: [&str; 3] = ["target", "corpus", "artifacts"];

/// All documents of the project.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of the project's folders").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name) {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// A line without its code, and without the targets of its links.
fn without_code(line: &str) -> String {
    let text: String = line.split('`').step_by(2).collect();
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    plain
}

/// The text of an item of a list, behind its mark.
fn item(line: &str) -> Option<&str> {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marks = ["- ", "* ", "+ "];
    if numbered.len() < line.len() {
        return numbered.strip_prefix(". ");
    }
    marks.iter().find_map(|mark| line.strip_prefix(mark))
}

/// The passages of a document, each with the number of its first line: paragraphs, items of lists, cells of
/// tables.
fn passages(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut is_code, mut continues) = (false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            (is_code, continues) = (!is_code, false);
            continue;
        }
        if is_code || trimmed.is_empty() || trimmed.starts_with(['#', '<']) {
            continues = false;
            continue;
        }
        let plain = without_code(trimmed);
        if trimmed.starts_with('|') {
            found.extend(plain.split('|').map(|cell| (index + 1, cell.to_owned())));
            continues = false;
        } else if let Some(item) = item(&plain) {
            found.push((index + 1, item.to_owned()));
            continues = true;
        } else if let Some((_, passage)) = found.last_mut().filter(|_| continues) {
            passage.push(' ');
            passage.push_str(&plain);
        } else {
            found.push((index + 1, plain));
            continues = true;
        }
    }
    found
}

/// The sentences of a passage, as words.
fn sentences(passage: &str) -> Vec<Vec<&str>> {
    let mut found = vec![Vec::new()];
    for word in passage.split_whitespace() {
        let ends = word.trim_end_matches(['*', '"', ')', '_']).ends_with(['.', '!', '?', '·']);
        if word.contains(char::is_alphanumeric) {
            found.last_mut().expect("one at least").push(word);
        }
        if ends {
            found.push(Vec::new());
        }
    }
    found
}

/// What is wrong with the words of a document.
fn faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, passage) in passages(text) {
        for words in sentences(&passage) {
            if words.len() > WORDS_MAX {
                faults.push(format!("{name}:{line}: {} words: {}", words.len(), words.join(" ")));
            }
            let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            if let Some(person) = words.iter().find(|word| PERSONS.contains(&bare(word).as_str())) {
                faults.push(format!("{name}:{line}: `{person}`: {}", words.join(" ")));
            }
        }
    }
    faults
}

#[test]
fn documents_have_short_sentences() {
    let root = root();
    let mut paths = Vec::new();
    documents(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the documents are elsewhere: {paths:?}");
    let faults: Vec<_> = paths
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
            faults(&name, &fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect();
    let most = format!("a sentence has at most {WORDS_MAX} words, and no `somebody` for a disk or a program");
    assert!(faults.is_empty(), "{most}:\n{}", faults.join("\n"));
}

#[test]
fn a_long_sentence_is_found_wherever_it_is() {
    let words = |count: usize| vec!["word"; count].join(" ");
    let (short, long) = (words(WORDS_MAX), words(WORDS_MAX + 1));
    let lines = |text: &str| {
        let faults = faults("d", text);
        faults
            .iter()
            .map(|fault| fault.split(':').nth(1).unwrap().parse::<u32>().unwrap())
            .collect::<Vec<_>>()
    };
    let none: [u32; 0] = [];
    assert_eq!(lines(&format!("{short}. {short}.\n{short}.")), none);
    assert_eq!(lines(&format!("{short}\nword.")), [1], "a sentence continues in the next line");
    assert_eq!(lines(&format!("# Title\n\n{long}.")), [3]);
    assert_eq!(lines(&format!("- {short}\n- {short}\n  word\n1. {long}")), [2, 4]);
    assert_eq!(lines(&format!("| {short} | {short} |\n|---|---|\n| a | {long} |")), [3]);
    assert_eq!(lines(&format!("```\n{long}\n```\n{short} `{long}` [](no/words \"at all\")")), none);
    assert_eq!(lines("One.\n\nNobody reads it."), [3]);
}
