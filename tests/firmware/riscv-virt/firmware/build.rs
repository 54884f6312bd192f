//! Tells the linker where the board's memory is, and takes the example of firmware out of README.md.

use std::path::Path;
use std::{env, fs};

/// The document, its section with the example, and how the example begins and ends there.
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../README.md");
const SECTION: &str = "\n## In firmware\n";
const BLOCK: (&str, &str) = ("\n```rust\n", "\n```\n");

fn main() {
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rustc-link-search={}", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }

    println!("cargo::rerun-if-changed={README}");
    let text = fs::read_to_string(README).expect("README.md is read");
    let code = example(&text).expect("README.md has an example of firmware");
    let to = env::var_os("OUT_DIR").expect("cargo says where to");
    fs::write(Path::new(&to).join("readme.rs"), code).expect("the example is written");
}

/// What a reader sees of the example: rustdoc hides lines that begin with a number sign.
fn example(readme: &str) -> Option<String> {
    let (_, section) = readme.split_once(SECTION)?;
    let (_, block) = section.split_once(BLOCK.0)?;
    let (code, _) = block.split_once(BLOCK.1)?;
    Some(code.lines().filter(|line| !line.starts_with("# ")).flat_map(|line| [line, "\n"]).collect())
}
