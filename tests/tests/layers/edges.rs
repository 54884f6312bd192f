//! Which modules of its crate, and which items of the HAL, a source names.

use super::source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// A source names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The source.
    pub(crate) file: PathBuf,
    /// Its line.
    pub(crate) line: usize,
    /// The module of the root that the source belongs to.
    pub(crate) from: String,
    /// The path that is named, from the crate's root: `disks::mix`; or `dynamicfs_hal::Clock`.
    pub(crate) to: String,
}

impl Edge {
    /// The module of the root that is named.
    pub(crate) fn to_module(&self) -> &str {
        self.to.split("::").next().unwrap_or_default()
    }

    /// Whether what is named is this, or in it.
    pub(crate) fn is_within(&self, path: &str) -> bool {
        self.to.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} -> {}", self.file.display(), self.line, self.from, self.to)
    }
}

/// Names that the root hands on, and where they are from: `DiskState` is `disks::DiskState`.
pub(crate) type Exports = BTreeMap<String, String>;

/// The re-exports of a crate's root.
pub(crate) fn re_exports(root: &Source) -> Exports {
    let declarations = root.text.split(';').filter_map(|item| item.trim().strip_prefix("pub use "));
    let paths = declarations.flat_map(|declaration| leaves(declaration).0);
    paths.filter_map(|path| Some((path.rsplit("::").next()?.to_owned(), path))).collect()
}

/// All edges of a source.
pub(crate) fn edges(source: &Source, exports: &Exports) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (at, path) in
        paths(source).into_iter().filter_map(|(at, path, leads_out)| leads_out.then_some((at, path)))
    {
        let to = match path.split("::").next().and_then(|first| exports.get(first)) {
            Some(original) => original.clone(),
            None => path,
        };
        let (file, line, from) = (source.path.clone(), source.line_of(at), source.module().to_owned());
        edges.push(Edge { file, line, from, to });
    }
    edges
}

/// The files of its folder that a source names, by their names without `.rs`.
pub(crate) fn siblings(source: &Source) -> BTreeSet<String> {
    let mut folder = source.modules();
    folder.pop();
    let below = folder.iter().map(|module| format!("{module}::")).collect::<String>();
    let named = paths(source).into_iter().filter_map(|(_, path, _)| {
        Some(path.strip_prefix(&below)?.split("::").next().unwrap_or_default().to_owned())
    });
    named.collect()
}

/// Paths that begin at the crate's root, at a module above, or at the HAL: where they stand, from the root
/// on, and whether they lead out of the module of the root.
fn paths(source: &Source) -> Vec<(usize, String, bool)> {
    let text = &source.text;
    let mut found = Vec::new();
    for start in ["crate::", "super::", "dynamicfs_hal::"] {
        for (at, _) in text.match_indices(start) {
            let before = &text[..at];
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let resolved = leaves(&text[at..]).0.into_iter().map(|path| resolve(source, &path));
            found.extend(resolved.map(|(path, leads_out)| (at, path, leads_out)));
        }
    }
    found
}

/// A path from the crate's root on, and whether it leads out of the module of the root that it stands in.
fn resolve(source: &Source, path: &str) -> (String, bool) {
    if path.starts_with("dynamicfs_hal::") {
        return (path.to_owned(), true);
    }
    if let Some(path) = path.strip_prefix("crate::") {
        return (path.to_owned(), true);
    }
    let mut modules = source.modules();
    let mut rest = path;
    while let Some(above) = rest.strip_prefix("super::") {
        modules.pop();
        rest = above;
    }
    let leads_out = modules.is_empty();
    modules.push(rest.to_owned());
    (modules.join("::"), leads_out)
}

/// The paths of a use tree or of a path in code: `a::{b, c::d}` is `a::b` and `a::c::d`. Also the bytes that it takes.
fn leaves(text: &str) -> (Vec<String>, usize) {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '*';
    let length = text.find(|c| !is_path(c)).unwrap_or(text.len());
    let path = text[..length].trim_end_matches("::<").to_owned();
    if !path.ends_with("::") || !text[length..].starts_with('{') {
        return (vec![path.trim_end_matches(':').to_owned()], length);
    }
    let mut paths = Vec::new();
    let mut at = length + 1;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        if at >= text.len() || text[at..].starts_with('}') {
            return (paths, (at + 1).min(text.len()));
        }
        let (inner, bytes) = leaves(&text[at..]);
        paths.extend(
            inner
                .iter()
                .map(|inner| format!("{path}{}", inner.trim_end_matches("self").trim_end_matches(':'))),
        );
        // A word that is no path, such as `as`, is stepped over.
        at += bytes.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let source = Source { path: PathBuf::from(path), length: 1, text: text.to_owned() };
        let exports = Exports::from([("Pool".to_owned(), "pool::Pool".to_owned())]);
        let found: Vec<String> = edges(&source, &exports).into_iter().map(|edge| edge.to).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        check(
            "a/b.rs",
            "use crate::tree::{Tree, cache::{self, CacheEntry}};",
            &["tree::Tree", "tree::cache", "tree::cache::CacheEntry"],
        );
        check("a/b.rs", "let x = crate::disks::mix(7);", &["disks::mix"]);
        check("a/b.rs", "impl crate::disks::Disks<'_, A> {}", &["disks::Disks"]);
        check("a/b.rs", "pub(crate) fn f() {} $crate::format::field::Field", &["format::field::Field"]);
        check("a/b.rs", "use crate::Pool;", &["pool::Pool"]);
        check(
            "a/b.rs",
            "use dynamicfs_hal::{Clock, Crc32c};",
            &["dynamicfs_hal::Clock", "dynamicfs_hal::Crc32c"],
        );
    }

    #[test]
    fn paths_that_climb_are_followed_to_the_root() {
        check("a/b.rs", "use super::c::D; use super::super::pool::X;", &["pool::X"]);
        check("a/mod.rs", "use super::types::Y;", &["types::Y"]);
        check("types.rs", "use super::limits::Z;", &["limits::Z"]);
    }

    #[test]
    fn siblings_are_found_by_either_way() {
        let text = "use super::{Disks, rows::R, state}; use crate::disks::events::E; use crate::tree::T;";
        let source = Source { path: PathBuf::from("disks/select.rs"), length: 1, text: text.to_owned() };
        let expected = ["Disks", "events", "rows", "state"].map(str::to_owned);
        assert_eq!(siblings(&source), BTreeSet::from(expected));
    }

    #[test]
    fn re_exports_lead_to_their_modules() {
        let source = Source {
            path: PathBuf::from("lib.rs"),
            length: 1,
            text: "pub mod a; pub use a::{B, c::D};".to_owned(),
        };
        let expected =
            [("B", "a::B"), ("D", "a::c::D")].map(|(name, path)| (name.to_owned(), path.to_owned()));
        assert_eq!(re_exports(&source), Exports::from(expected));
    }
}
