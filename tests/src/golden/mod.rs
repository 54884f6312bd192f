//! Golden images: small pools whose bytes are kept in `tests/golden/`, with what is in them as text.
//!
//! ```text
//! container.rs   how the disks are kept in a file
//! machine.rs     fixed disks, memory, clock and entropy
//! pools.rs       which pools there are and how they are made
//! manifest.rs    what a pool holds, as text
//! ```

pub mod container;
pub mod machine;
pub mod manifest;
pub mod pools;

use container::Disks;
use std::path::PathBuf;

/// Set to rewrite the golden images, their manifests and the dumps in `docs/FORMAT.md`.
pub const UPDATE: &str = "UPDATE_GOLDEN";

/// What a test says that found another format than the golden one.
pub const ADVICE: &str = "\
The golden images are the promise that pools made by a released version stay readable.\n\
- If nothing was meant to change, this is a bug: the same inputs must make the same bytes.\n\
- Choices that leave the format alone (where a fragment is put, when a sweep runs) change what is compared byte by byte.\n\
  Where the images of tests/golden/version-2 still mount with their manifests, regenerate with\n\
      UPDATE_GOLDEN=1 cargo test -p dynamicfs-tests --test suite -- golden_images\n\
  and then the dumps of the document with\n\
      UPDATE_GOLDEN=1 cargo test -p dynamicfs-tests --test suite -- format_document\n\
- The images of tests/golden/version-2 are never rewritten. A change of the format needs a new version or a feature flag,\n\
  and images of its own beside the old ones.";

/// Whether the golden files are to be rewritten.
pub fn is_update() -> bool {
    std::env::var_os(UPDATE).is_some_and(|value| value == "1")
}

/// The file of a golden pool.
pub fn path(name: &str, extension: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).join(format!("{name}.{extension}"))
}

/// The disks of a golden pool, as they are kept; with [`UPDATE`], as they are made today.
///
/// # Panics
/// When there is no such pool.
pub fn load(name: &str) -> Disks {
    if is_update() {
        let pool = pools::ALL.iter().find(|pool| pool.name == name).expect("a golden pool");
        return pools::make(pool);
    }
    let packed = std::fs::read(path(name, "pool"))
        .unwrap_or_else(|error| panic!("golden pool {name}: {error}\n{ADVICE}"));
    container::unpack(&packed).expect("a container")
}

/// A golden pool as it was when version 2 of the format became stable, and its manifest: never made anew.
pub fn load_stable(name: &str) -> (Disks, String) {
    let file = |extension| path(&format!("version-2/{name}"), extension);
    let packed = std::fs::read(file("pool")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let manifest =
        std::fs::read_to_string(file("manifest")).unwrap_or_else(|error| panic!("{name}: {error}"));
    (container::unpack(&packed).expect("a container"), manifest)
}

/// The manifest of a golden pool, as it is kept.
pub fn load_manifest(name: &str) -> String {
    std::fs::read_to_string(path(name, "manifest"))
        .unwrap_or_else(|error| panic!("golden pool {name}: {error}\n{ADVICE}"))
}
