//! The copy, built once: the simulator and the test programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of the copy.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The simulator.
    pub simulator: PathBuf,
    /// The test programs, and the folder that each runs in.
    pub tests: Vec<(PathBuf, PathBuf)>,
}

/// What is built for the tests.
const TESTS: [&[&str]; 3] = [
    &["-p", "dynamicfs-core", "--lib", "--tests"],
    &["-p", "std-host-shim", "--lib", "--tests"],
    &["-p", "dynamicfs-sim", "--no-default-features", "--test", "suite"],
];

/// Builds a copy in `copy`, with all that comes of it in `target`; the test programs only `with_tests`.
///
/// # Errors
/// In words: it cannot be built.
pub fn build(copy: &Path, target: &Path, with_tests: bool) -> Result<Programs, String> {
    cargo(copy, target, &["build", "--profile", "campaign", "-p", "dynamicfs-sim"])?;
    let mut tests = Vec::new();
    for what in TESTS.into_iter().filter(|_| with_tests) {
        let arguments = [&["test", "--no-run", "--message-format", "json"], what].concat();
        for line in cargo(copy, target, &arguments)?.lines() {
            let message: serde_json::Value =
                serde_json::from_str(line).map_err(|error| format!("cargo said {line:?}: {error}"))?;
            let program = message["executable"].as_str().filter(|_| message["profile"]["test"] == true);
            let folder = message["manifest_path"].as_str().and_then(|manifest| Path::new(manifest).parent());
            if let (Some(program), Some(folder)) = (program, folder) {
                tests.push((program.into(), folder.to_owned()));
            }
        }
    }
    Ok(Programs { simulator: target.join("campaign/dynamicfs-sim"), tests })
}

fn cargo(copy: &Path, target: &Path, arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(arguments)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
        // A switch in the place of an expression has brackets that it may not need.
        .env("RUSTFLAGS", "-Awarnings")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!("cargo {} failed", arguments.join(" "))),
    }
}
