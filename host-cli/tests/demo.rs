//! The demo ends well, with one's own files too.

use crate::common::{TestPool, noise};

#[test]
fn with_the_programs_own_sources() {
    let nothing = TestPool::none();
    let demo = nothing.run(["demo"]).ok();
    for word in [
        "killed -9",
        "rewritten",
        "reconstructed",
        "takes the place of",
        "scrub:",
        "check: clean",
        "dynamicfs status",
        "dynamicfs health",
    ] {
        assert!(demo.text().contains(word), "{word}: {}", demo.text());
    }
}

#[test]
fn with_ones_own_file() {
    let nothing = TestPool::none();
    let file = nothing.file("mine", &noise(2_000_000, 4));
    let demo = nothing.run(["--json", "demo", file.to_str().unwrap()]).ok().json();
    assert_eq!(demo["status"]["status"], "healthy");
    assert_eq!(demo["steps"].as_array().map(Vec::len), Some(7));
    let schema = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/demo.json")).unwrap();
    let schema = serde_json::from_slice(&schema).unwrap();
    assert!(jsonschema::is_valid(&schema, &demo));
}

#[test]
fn without_a_dry_run() {
    let nothing = TestPool::none();
    let refused = nothing.run(["demo", "--dry-run"]).expect(2);
    assert!(refused.stderr.contains("temporary folder") && refused.stdout.is_empty(), "{}", refused.stderr);
}
