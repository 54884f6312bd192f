//! What came of the mutants.

use super::Mutant;
use super::trial::Noticed;
use std::fmt::Write as _;
use std::time::Duration;

/// A mutant, and what noticed it.
#[derive(Clone, Debug)]
pub struct Result<'m> {
    /// The mutant.
    pub mutant: &'m Mutant,
    /// What noticed it first.
    pub noticed: Option<Noticed>,
    /// How long that took.
    pub took: Duration,
}

impl Result<'_> {
    /// Whether it survived and should not have.
    pub fn is_survivor(&self) -> bool {
        self.noticed.is_none() && self.mutant.equivalent.is_none()
    }

    fn noticed_by(&self) -> String {
        match &self.noticed {
            Some(Noticed::Campaign { arguments, seed: Some(seed), kind, .. }) => {
                match flags(arguments).as_str() {
                    "" => format!("{kind}, seed {seed}"),
                    flags => format!("{kind}, seed {seed} of `{flags}`"),
                }
            }
            Some(Noticed::Campaign { arguments, seed: None, kind, .. }) => format!("{kind}, `{arguments}`"),
            Some(Noticed::Test { name }) => format!("test `{name}`"),
            None if self.mutant.equivalent.is_some() => "nothing: equivalent".into(),
            None => "NOTHING".into(),
        }
    }
}

/// What a campaign is told beside its seeds.
fn flags(arguments: &str) -> String {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let seeds = words.iter().position(|&word| word == "--seeds").map_or(0..0, |at| at..at + 2);
    let is_flag = |(at, _): &(usize, &&str)| *at > 0 && !seeds.contains(at);
    words.iter().enumerate().filter(is_flag).map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// How many were noticed by campaigns, by tests, are equivalent, and survived.
pub fn counts(results: &[Result<'_>]) -> [usize; 4] {
    let count = |is: &dyn Fn(&Result<'_>) -> bool| results.iter().filter(|result| is(result)).count();
    [
        count(&|result| matches!(result.noticed, Some(Noticed::Campaign { .. }))),
        count(&|result| matches!(result.noticed, Some(Noticed::Test { .. }))),
        count(&|result| result.noticed.is_none() && !result.is_survivor()),
        count(&|result| result.is_survivor()),
    ]
}

/// A line of progress.
pub fn line(result: &Result<'_>) -> String {
    format!("{:5.1} s  {:44} {}", result.took.as_secs_f64(), result.mutant.name, result.noticed_by())
}

/// The end of the text.
pub fn summary(results: &[Result<'_>], took: Duration) -> String {
    let [campaigns, tests, equivalent, survivors] = counts(results);
    let mut text = format!(
        "{} mutants in {:.0} s: {campaigns} noticed by campaigns, {tests} by tests, {equivalent} equivalent, {survivors} survived\n",
        results.len(),
        took.as_secs_f64()
    );
    for result in results.iter().filter(|result| result.is_survivor()) {
        let _ = writeln!(text, "  {}: {} ({})", result.mutant.name, result.mutant.breaks, result.mutant.file);
    }
    text
}

/// All of it for machines.
pub fn json(results: &[Result<'_>], took: Duration) -> serde_json::Value {
    let [campaigns, tests, equivalent, survivors] = counts(results);
    let one = |result: &Result<'_>| {
        let mutant = result.mutant;
        let mut value = serde_json::json!({
            "name": mutant.name,
            "file": mutant.file,
            "breaks": mutant.breaks,
            "equivalent": mutant.equivalent,
            "seconds": result.took.as_secs_f64(),
        });
        match &result.noticed {
            Some(Noticed::Campaign { arguments, seed, kind, what }) => {
                value["campaign"] =
                    serde_json::json!({ "arguments": arguments, "seed": seed, "kind": kind, "what": what });
            }
            Some(Noticed::Test { name }) => value["test"] = name.as_str().into(),
            None => {}
        }
        value
    };
    serde_json::json!({
        "seconds": took.as_secs_f64(),
        "noticed_by_campaigns": campaigns,
        "noticed_by_tests": tests,
        "equivalent": equivalent,
        "survived": survivors,
        "mutants": results.iter().map(one).collect::<Vec<_>>(),
    })
}

/// The rows of the table in `docs/SIMULATION.md`.
pub fn markdown(results: &[Result<'_>]) -> String {
    let mut text = String::from("| mutant | breaks | noticed by |\n|---|---|---|\n");
    for result in results {
        let Mutant { name, breaks, equivalent, .. } = result.mutant;
        let by = match (&result.noticed, equivalent) {
            (None, Some(why)) => format!("equivalent: {why}"),
            _ => result.noticed_by(),
        };
        let _ = writeln!(text, "| {name} | {breaks} | {by} |");
    }
    text
}
