//! What noticed each mutant before, as the document's table tells it.

use std::collections::BTreeMap;

/// What noticed a mutant before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A test, by its name.
    Test(String),
    /// A run of the simulator, by its arguments.
    Simulator(String),
}

/// What the rows `| mutant | breaks | noticed by |` of a document tell, by the mutants' names.
pub fn of(document: &str) -> BTreeMap<String, Known> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let (name, by) = (cells.next()?, cells.nth(1)?);
        (cells.next().is_none()).then_some((name.to_owned(), noticed_by(by)?))
    };
    document.lines().filter_map(row).collect()
}

/// What a cell says: a test (``test `name` ``), a seed (`kind, seed 7`, or ``kind, seed 7 of `--only faults`
/// ``), or a run of the simulator (``kind, `exhaustive …` ``).
fn noticed_by(cell: &str) -> Option<Known> {
    let quoted = cell.split('`').nth(1);
    if cell.starts_with("test `") {
        return Some(Known::Test(quoted?.to_owned()));
    }
    let (_, how) = cell.split_once(", ")?;
    let Some(seed) = how.strip_prefix("seed ") else {
        return quoted.filter(|_| how.starts_with("`exhaustive")).map(|run| Known::Simulator(run.to_owned()));
    };
    let seed: u64 = seed.split(' ').next()?.parse().ok()?;
    let flags = quoted.unwrap_or_default();
    Some(Known::Simulator(format!("campaign --seeds {seed}..{} {flags}", seed + 1).trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_tell_what_noticed_a_mutant() {
        let known = of("| a | breaks a | test `x::y` |\n\
                        | b | breaks b | space, seed 7 |\n\
                        | c | breaks c | lost, seed 9 of `--only power-cut,rot` |\n\
                        | d | breaks d | space, `exhaustive --ops 1 --depth 1` |\n\
                        | e | breaks e | equivalent: so it is |\n\
                        | no row of theirs | two cells |\n");
        let simulator = |arguments: &str| Known::Simulator(arguments.to_owned());
        let expected = [
            ("a", Known::Test("x::y".to_owned())),
            ("b", simulator("campaign --seeds 7..8")),
            ("c", simulator("campaign --seeds 9..10 --only power-cut,rot")),
            ("d", simulator("exhaustive --ops 1 --depth 1")),
        ];
        assert_eq!(known, expected.map(|(name, known)| (name.to_owned(), known)).into());
    }
}
