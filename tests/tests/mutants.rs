//! The table of mutants: each has its place in the sources, and stands in the document.

use dynamicfs_tests::mutants::{copy, root, table};
use std::collections::BTreeSet;

#[test]
fn every_mutant_has_a_place_of_its_own() {
    let mutants = table().expect("a table");
    assert!(mutants.len() >= 80, "{}", mutants.len());
    let names: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    assert_eq!(names.len(), mutants.len(), "names are different");
    for mutant in &mutants {
        assert_ne!(mutant.original, mutant.mutated, "{}", mutant.name);
        assert!(!mutant.breaks.is_empty(), "{}", mutant.name);
    }
    let files = copy::switched(&mutants).expect("each text is there, once");
    let switches: usize = files.values().map(|text| text.matches("dynamicfs_hal::mutant(").count()).sum();
    assert_eq!(switches, mutants.len());
}

/// The sources themselves have no switch.
#[test]
fn no_switch_is_in_the_sources() {
    for file in ["hal/src/lib.rs", "core/src/lib.rs"] {
        let text = std::fs::read_to_string(root().join(file)).expect("a source file");
        assert!(!text.contains("mutant"), "{file}");
    }
}

#[test]
fn the_document_names_every_mutant() {
    let document = std::fs::read_to_string(root().join("docs/SIMULATION.md")).expect("the document");
    let missing: Vec<String> = table().expect("a table").into_iter().map(|mutant| mutant.name).collect();
    let missing: Vec<&String> =
        missing.iter().filter(|name| !document.contains(&format!("| {name} |"))).collect();
    assert!(missing.is_empty(), "not in docs/SIMULATION.md: {missing:?}");
}
