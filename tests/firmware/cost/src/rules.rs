//! What a reader of the source knows, and the program does not tell.

/// Rules for calls that do not name a function, and for functions that are of no interest.
///
/// A rule is a line; `#` begins a comment. Names are parts of functions' names as they are written in the
/// source.
///
/// ```text
/// skip NAME                 these functions are not followed
/// only CALLEE < CALLER ...  these functions, where their addresses are taken, are called through those by
/// these alone
/// ```
#[derive(Debug, Default)]
pub(crate) struct Rules {
    skip: Vec<String>,
    only: Vec<(String, Vec<String>)>,
}

impl Rules {
    /// Reads rules.
    ///
    /// # Errors
    /// The line that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => {}
                ["skip", name] => rules.skip.push((*name).to_owned()),
                ["only", callee, "<", _, ..] => rules.only.push(((*callee).to_owned(), words[3..].to_vec())),
                _ => return Err(format!("line {} is no rule", number + 1)),
            }
        }
        Ok(rules)
    }

    /// Whether a function is not followed.
    pub(crate) fn skips(&self, function: &str) -> bool {
        self.skip.iter().any(|name| function.contains(name))
    }

    /// Whether a function may call another through its address.
    pub(crate) fn allow(&self, caller: &str, callee: &str) -> bool {
        let mut known = self.only.iter().filter(|(name, _)| callee.contains(name)).peekable();
        known.peek().is_none() || known.any(|(_, callers)| callers.iter().any(|name| caller.contains(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_keeps_other_callers_out() {
        let rules = Rules::parse("only ::spill < take_frame evict # a comment\n\nonly ::spill < pin\n")
            .expect("rules");
        assert!(rules.allow("tree::take_frame", "tree::spill"));
        assert!(rules.allow("tree::pin", "tree::spill"));
        assert!(!rules.allow("tree::scan", "tree::spill"));
        assert!(rules.allow("tree::scan", "crc32c"));
    }

    #[test]
    fn skipped_functions_are_named_by_a_part() {
        let rules = Rules::parse("skip board::report::").expect("a rule");
        assert!(rules.skips("board::report::print"));
        assert!(!rules.skips("board::stack::paint"));
    }

    #[test]
    fn a_line_that_is_no_rule_is_named() {
        assert_eq!(Rules::parse("# one\nonly a b").map(|_| ()), Err("line 2 is no rule".to_owned()));
    }
}
