//! The program as it is run: what it prints, and how it ends.
#![cfg(feature = "cli")]

use serde_json::Value;
use std::process::{Command, Output};

fn program(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamicfs-sim"));
    command.args(line.split_whitespace()).output().expect("the program runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_campaign_without_failures_ends_well() {
    let output = program("campaign --seeds 0..20 --jobs 2 --twice 10 --json");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = json(&output);
    assert_eq!((&report["seeds"], &report["run_twice"]), (&20.into(), &2.into()));
    assert_eq!(report["ranges"], serde_json::json!(["0..20"]));
    assert_eq!(report["failures"], serde_json::json!([]));
}

/// A limit in which nothing can end. The first seed over it is reported, and the program ends though a thread
/// is still at work.
#[test]
fn a_campaign_whose_seeds_take_too_long_ends_and_says_which() {
    let output = program("campaign --seeds 5..200 --jobs 2 --limit 0.0000001 --json");
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    let report = json(&output);
    let failures = report["failures"].as_array().expect("failures");
    assert!((1..=2).contains(&failures.len()), "one for each thread at most: {failures:?}");
    for failure in failures {
        assert_eq!((&failure["kind"], &failure["exit_code"]), (&"hang".into(), &11.into()));
        let replay = failure["replay"].as_str().and_then(|id| id.parse::<u64>().ok()).expect("a seed");
        assert!((5..200).contains(&replay));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("dynamicfs-sim replay {replay}")), "{said}");
    }
    let last = report["seeds"].as_u64().expect("seeds") + 5;
    assert_eq!(report["ranges"], serde_json::json!([format!("5..{last}")]), "all that was begun is counted");
}

#[test]
fn bad_arguments_are_named() {
    for (line, named) in [
        ("campaign --seeds 5..5", "the range is empty"),
        ("campaign --seeds 5", "A..B"),
        ("replay 1:off=nothing", "off=nothing"),
        ("run 1 --limit=-1", "--limit"),
    ] {
        let output = program(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(named), "{line}: {said}");
    }
}

/// What the document says of exit codes is what they are.
#[test]
fn the_document_names_every_exit_code() {
    let document = include_str!("../../docs/SIMULATION.md");
    for kind in dynamicfs_sim::simulation::FailureKind::ALL {
        let cells = format!("| {} | `{}` |", kind.exit_code(), kind.name());
        assert!(document.contains(&cells), "docs/SIMULATION.md lacks {cells}");
    }
}
