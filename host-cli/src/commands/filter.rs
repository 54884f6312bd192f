//! `--include` and `--exclude`: which of the things in a folder are taken.

use crate::output::failure::{Code, Failure};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::path::Path;

/// Which of the things in a folder are taken. A pattern with a / is held against the path below the folder,
/// one without against the name.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct FilterOptions {
    /// With folders: take only files that match; may be given more than once
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// With folders: leave out files and whole folders that match; may be given more than once
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

/// The same, ready to be used.
#[derive(Debug)]
pub(crate) struct Filter {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

#[derive(Debug)]
struct Patterns {
    names: GlobSet,
    paths: GlobSet,
}

impl Patterns {
    fn new(patterns: &[String]) -> Result<Option<Self>, Failure> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let bare = pattern.trim_matches('/');
            let failed = |error: globset::Error| {
                let shown = crate::output::names::show(pattern.as_bytes());
                Failure::new(Code::InvalidArgument, format!("`{shown}` is not a pattern: {}", error.kind()))
                    .hint("write *.txt, or cache/** for all that is in a folder")
            };
            let glob = GlobBuilder::new(bare).literal_separator(true).backslash_escape(true).build();
            let is_path = pattern.trim_end_matches('/').contains('/');
            if is_path { &mut paths } else { &mut names }.add(glob.map_err(failed)?);
        }
        let built = |set: GlobSetBuilder| {
            set.build().map_err(|error| Failure::new(Code::InvalidArgument, error.kind().to_string()))
        };
        let patterns_of = || Ok(Self { names: built(names)?, paths: built(paths)? });
        if patterns.is_empty() { Ok(None) } else { patterns_of().map(Some) }
    }

    fn take(&self, below: &Path) -> bool {
        below.file_name().is_some_and(|name| self.names.is_match(name)) || self.paths.is_match(below)
    }
}

impl FilterOptions {
    pub(crate) fn compile(&self) -> Result<Filter, Failure> {
        Ok(Filter { include: Patterns::new(&self.include)?, exclude: Patterns::new(&self.exclude)? })
    }
}

impl Filter {
    /// Whether something is taken, by its path below the folder; the folder itself always is.
    pub(crate) fn takes(&self, below: &Path, is_folder: bool) -> bool {
        if below.as_os_str().is_empty() || self.exclude.is_none() && self.include.is_none() {
            return true;
        }
        let is_in = is_folder || self.include.as_ref().is_none_or(|include| include.take(below));
        is_in && !self.exclude.as_ref().is_some_and(|exclude| exclude.take(below))
    }

    /// Whether everything is taken.
    pub(crate) fn takes_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        FilterOptions { include: owned(include), exclude: owned(exclude) }.compile().unwrap()
    }

    #[test]
    fn names_and_paths_are_held_against_patterns() {
        let takes = |filter: &Filter, path: &str| filter.takes(Path::new(path), false);
        let text = filter(&["*.txt"], &["cache/**", "/top/only.txt", "x*"]);
        assert!(takes(&text, "a.txt") && takes(&text, "d/e/a.txt") && !takes(&text, "a.jpg"));
        assert!(!takes(&text, "cache/a.txt") && takes(&text, "d/cache/a.txt"));
        assert!(!takes(&text, "top/only.txt") && takes(&text, "d/top/only.txt"));
        assert!(text.takes(Path::new("d"), true) && !text.takes(Path::new("d/xyz"), true));
        assert!(filter(&[], &[]).takes_all());
        assert!(FilterOptions { include: vec!["[a".into()], exclude: vec![] }.compile().is_err());
    }
}
