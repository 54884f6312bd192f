//! Rust sources without their comments, strings and tests.

use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path below the folder that was asked for.
    pub(crate) path: PathBuf,
    /// Its lines, all of them.
    pub(crate) length: usize,
    /// Its text; what is left out became spaces, so that lines and columns stay.
    pub(crate) text: String,
}

impl Source {
    fn new(path: PathBuf, text: &str) -> Self {
        Self { path, length: text.lines().count(), text: without_tests(&without_comments(text)) }
    }

    /// The module of the crate's root that it belongs to.
    pub(crate) fn module(&self) -> &str {
        let first = self.path.iter().next().and_then(|first| first.to_str()).unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The modules that lead to this file's items.
    pub(crate) fn modules(&self) -> Vec<String> {
        let names = self.path.iter().filter_map(|name| name.to_str());
        names
            .map(|name| name.strip_suffix(".rs").unwrap_or(name))
            .filter(|&name| name != "mod")
            .map(str::to_owned)
            .collect()
    }

    /// Its lines, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The line of a byte of the text, from 1.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        1 + self.text[..at].matches('\n').count()
    }
}

/// All sources below a folder, in order.
pub(crate) fn sources(folder: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Source::new(path.strip_prefix(folder).expect("below the folder").to_owned(), &text)
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder's entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether code has this identifier, or these words.
pub(crate) fn contains_path(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part))
}

/// Comments and the contents of strings become spaces.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest).unwrap_or(0);
        let (skip, after) = rest.split_at(length);
        out.extend(skip.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = after;
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Bytes of the comment, string or quoted character that the text begins with.
fn skipped(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if let Some(inner) = text.strip_prefix('"') {
        return Some(1 + end_of_quoted(inner, '"'));
    }
    // A character, and not a lifetime.
    let inner = text.strip_prefix('\'')?;
    let length = if inner.starts_with('\\') {
        end_of_quoted(inner, '\'')
    } else {
        inner.chars().next()?.len_utf8() + 1
    };
    inner[..length].ends_with('\'').then_some(1 + length)
}

/// Bytes up to the closing quote and with it.
fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Items under `#[cfg(test)]` become spaces.
fn without_tests(text: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let Some(start) = text.find(MARK) else { return text.to_owned() };
    let end = start + item_length(&text[start..]);
    let blank: String = text[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    format!("{}{blank}{}", &text[..start], without_tests(&text[end..]))
}

/// Bytes up to the end of the first item: its closing brace, or a semicolon before any brace.
fn item_length(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn comments_strings_and_tests_are_passed_over() {
    let text = "use a; // crate::x\nlet s = \"crate::y \\\" {\"; let c = '{'; fn f<'a>() {}\n\
        #[cfg(test)]\nmod tests {\n    fn g() { crate::z }\n}\nuse b;\n";
    let source = Source::new(PathBuf::from("m/mod.rs"), text);
    assert_eq!(source.text.lines().count(), 7);
    assert!(!source.text.contains("crate") && source.text.contains("fn f<'a>() {}"), "{}", source.text);
    assert_eq!(
        (source.line_of(source.text.find("use b").unwrap()), source.modules()),
        (7, vec!["m".to_owned()])
    );
}

#[test]
fn words_are_found_whole() {
    for (line, word, expected) in
        [("use std::vec;", "std", true), ("no_std", "std", false), ("Stored::load", "Stored", true)]
    {
        assert_eq!(contains_path(line, word), expected, "{line}");
    }
}
