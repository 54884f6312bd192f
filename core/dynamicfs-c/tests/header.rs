//! The header is that of the sources. `DYNAMICFS_UPDATE_HEADER=1` writes it anew.

use std::path::Path;

/// In the order in which they are to be read.
const SOURCES: [&str; 10] = [
    "code.rs",
    "abi.rs",
    "lent.rs",
    "mount.rs",
    "transaction.rs",
    "file.rs",
    "names.rs",
    "directory.rs",
    "attribute.rs",
    "upkeep.rs",
];

/// How a function is exported that changes something: cbindgen does not look into it.
const EXPORTED_TO_WRITE: &str = "#[cfg_attr(feature = \"write\", unsafe(no_mangle))]";

fn header() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml");
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        let text = std::fs::read_to_string(root.join("src").join(source)).expect("a source");
        let copy = folder.path().join(source);
        std::fs::write(&copy, text.replace(EXPORTED_TO_WRITE, "#[unsafe(no_mangle)]")).expect("a copy");
        builder = builder.with_src(copy);
    }
    let mut text = Vec::new();
    builder.generate().expect("the sources are read").write(&mut text);
    String::from_utf8(text).expect("text")
}

#[test]
fn the_header_is_that_of_the_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dynamicfs.h");
    let made = header();
    if std::env::var_os("DYNAMICFS_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(made.lines()).position(|(kept, made)| kept != made);
    assert!(kept == made, "dynamicfs.h differs in line {line:?}: DYNAMICFS_UPDATE_HEADER=1 writes it");
}

/// What the linker finds is what the header declares.
#[test]
fn the_header_declares_every_function() {
    let made = header();
    let sources = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("sources");
    let mut functions = 0;
    for source in sources {
        let text = std::fs::read_to_string(source.expect("a source").path()).expect("text");
        for (_, rest) in text.match_indices("unsafe(no_mangle)").map(|(at, _)| text.split_at(at)) {
            let name = rest.split("fn ").nth(1).and_then(|rest| rest.split('(').next()).expect("a function");
            assert!(made.contains(&format!(" {name}(")) || made.contains(&format!("*{name}(")), "{name}");
            functions += 1;
        }
    }
    assert_eq!(functions, 42);
}
