//! The layers: which module may use which, compared with an allow-list, and what must be absent.
//!
//! Edges between packages come from their `Cargo.toml`. Edges between the modules of a crate come from its
//! sources: `use` declarations, and paths that begin with `crate` or leave a module with `super`. Comments
//! and test modules are passed over. A call through a field (`store.tree.disks`) names no module and is not
//! seen.

#[path = "layers/edges.rs"]
mod edges;
#[path = "layers/source.rs"]
mod source;

use edges::{Edge, edges, re_exports, siblings};
use source::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn core_sources() -> Vec<Source> {
    sources(&root().join("core/src"))
}

/// Fails with all violations, one on each line.
fn check_none(what: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{what}:\n{}", violations.join("\n"));
}

// --- packages -------------------------------------------------------------------------------------------------

/// Packages of the workspace, where they are, and which others they may depend on. `None`: on any.
const PACKAGES: [(&str, &str, Option<&[&str]>); 9] = [
    ("reed-solomon-novelda", "core/reed-solomon-novelda", Some(&[])),
    ("dynamicfs-hal", "hal", Some(&[])),
    ("std-host-shim", "hal/std-host-shim", Some(&["dynamicfs-hal"])),
    ("dynamicfs-core", "core", Some(&["dynamicfs-hal", "reed-solomon-novelda"])),
    ("dynamicfs-c", "core/dynamicfs-c", Some(&["dynamicfs-core", "dynamicfs-hal"])),
    ("dynamicfs-sim", "sim", Some(&["dynamicfs-core", "dynamicfs-hal"])),
    (
        "dynamicfs",
        "host-cli",
        Some(&["dynamicfs-core", "dynamicfs-hal", "std-host-shim", "reed-solomon-novelda"]),
    ),
    ("dynamicfs-tests", "tests", None),
    ("firmware-cost", "tests/firmware/cost", Some(&[])),
];

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in a package's `[dependencies]` and `[build-dependencies]`, those of single targets included.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(toml::Value::as_table);
    let tables = targets
        .chain([manifest])
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|key| table.get(key)));
    tables.flatten().filter_map(toml::Value::as_table).flat_map(|table| table.keys().cloned()).collect()
}

#[test]
fn packages_depend_on_those_below_them_only() {
    let mut violations = Vec::new();
    for (package, folder, allowed) in PACKAGES {
        let manifest = manifest(folder);
        assert_eq!(manifest["package"]["name"].as_str(), Some(package), "{folder}");
        let Some(allowed) = allowed else { continue };
        let known = |name: &str| PACKAGES.iter().any(|(known, ..)| *known == name);
        let wrong = dependencies(&manifest)
            .into_iter()
            .filter(|name| known(name) && !allowed.contains(&name.as_str()));
        violations.extend(wrong.map(|name| format!("{folder}/Cargo.toml: {package} -> {name}")));
    }
    check_none("edges between packages that are not allowed", &violations);
}

#[test]
fn every_package_has_its_place() {
    let manifest = manifest("");
    let members = manifest["workspace"]["members"].as_array().expect("a workspace has members");
    let members: BTreeSet<&str> = members.iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(members, PACKAGES.iter().map(|(_, folder, _)| *folder).collect());
}

// --- modules of the core --------------------------------------------------------------------------------------

/// The layer of each module of the core: it may use those of its own layer and of lower ones.
const LAYERS: [(&str, u8); 19] = [
    ("pool", 8),
    ("maintain", 7),
    ("object", 6),
    ("placement", 5),
    ("redundancy", 5),
    ("transaction", 4),
    ("tree", 3),
    ("space", 3),
    ("disks", 2),
    ("format", 1),
    ("types", 0),
    ("limits", 0),
    ("error", 0),
    ("metrics", 0),
    ("build", 0),
    ("options", 0),
    ("observed", 0),
    ("powers", 0),
    ("logging", 0),
];

/// The layers of the simulator's modules.
const SIM_LAYERS: [(&str, u8); 20] = [
    ("main", 8),
    ("cli", 7),
    ("crash", 6),
    ("exhaustive", 6),
    ("simulation", 5),
    ("prepared", 5),
    ("loss", 5),
    ("model", 4),
    ("workload", 4),
    ("forge", 4),
    ("states", 3),
    ("array", 2),
    ("world", 2),
    ("disk", 1),
    ("clock", 0),
    ("colliding", 0),
    ("pages", 0),
    ("digest", 0),
    ("build", 0),
    ("rng", 0),
];

/// The layers of the command line's modules. Commands have options, which the arguments are made of; some of
/// them print what the arguments and the schemas are.
const CLI_LAYERS: [(&str, u8); 10] = [
    ("main", 4),
    ("dispatch", 3),
    ("cli", 2),
    ("commands", 2),
    ("schemas", 2),
    ("pool", 1),
    ("app", 0),
    ("options", 0),
    ("output", 0),
    ("host", 0),
];

/// Modules without I/O or state, and all that they may use of the core and of the HAL.
const PURE: [(&str, &[&str]); 6] = [
    (
        "format",
        &[
            "format",
            "types",
            "limits",
            "error",
            "metrics",
            "build",
            "powers",
            "options",
            "dynamicfs_hal::Crc32c",
            "dynamicfs_hal::Geometry",
            "dynamicfs_hal::UnixTime",
        ],
    ),
    ("placement", &["placement", "types", "limits", "error", "build", "disks::mix"]),
    ("redundancy", &["redundancy", "format", "types", "limits", "error", "build", "dynamicfs_hal::Crc32c"]),
    ("transaction/quorum.rs", &["types", "limits", "build"]),
    (
        "disks/condition.rs",
        &["disks::condition", "disks::mix", "observed", "options", "dynamicfs_hal::IoError"],
    ),
    ("disks/select.rs", &["disks::condition", "disks::mix"]),
];

fn layer(module: &str) -> Option<u8> {
    layer_in(&LAYERS, module)
}

fn layer_in(layers: &[(&str, u8)], module: &str) -> Option<u8> {
    layers.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// All edges of the core.
fn core_edges() -> Vec<Edge> {
    edges_of(&core_sources())
}

/// All edges of a crate, re-exports of its root resolved.
fn edges_of(sources: &[Source]) -> Vec<Edge> {
    let exports =
        sources.iter().find(|source| source.path == Path::new("lib.rs")).map(re_exports).unwrap_or_default();
    sources
        .iter()
        .filter(|source| source.module() != "lib")
        .flat_map(|source| edges(source, &exports))
        .collect()
}

#[test]
fn modules_use_their_own_layer_and_lower_ones_only() {
    let mut violations = Vec::new();
    for (folder, layers) in
        [("core/src", &LAYERS[..]), ("sim/src", &SIM_LAYERS), ("host-cli/src", &CLI_LAYERS)]
    {
        for edge in edges_of(&sources(&root().join(folder))) {
            let (from, to) = (edge.from.as_str(), edge.to_module());
            let allowed = match (layer_in(layers, from), layer_in(layers, to)) {
                (Some(from), Some(to)) => to <= from,
                _ => to == "dynamicfs_hal",
            };
            if !allowed {
                violations.push(format!("{folder}/{edge}"));
            }
        }
    }
    check_none("edges between modules that point up, or to a module without a layer", &violations);
}

#[test]
fn pure_modules_use_what_is_pure_only() {
    let mut violations = Vec::new();
    for edge in core_edges() {
        let file = edge.file.to_string_lossy().replace('\\', "/");
        let pure = PURE.iter().find(|(module, _)| edge.from == *module || file == *module);
        let Some((_, allowed)) = pure else { continue };
        if !allowed.iter().any(|allowed| edge.is_within(allowed)) {
            violations.push(format!("core/src/{edge}"));
        }
    }
    check_none("what a pure module may not use", &violations);
}

/// The scan is not blind: these edges are there.
#[test]
fn known_edges_are_seen() {
    for (folder, from, to) in [
        ("core/src", "placement", "disks::mix"),
        ("core/src", "pool", "object::Objects"),
        ("core/src", "transaction", "tree::Tree"),
        ("sim/src", "simulation", "array::SimArray"),
        ("host-cli/src", "commands", "pool::open"),
        ("host-cli/src", "pool", "output::failure"),
    ] {
        let edges = edges_of(&sources(&root().join(folder)));
        assert!(edges.iter().any(|edge| edge.from == from && edge.is_within(to)), "{folder}: {from} -> {to}");
    }
}

#[test]
fn every_module_has_a_layer() {
    for (folder, layers) in
        [("core/src", &LAYERS[..]), ("sim/src", &SIM_LAYERS), ("host-cli/src", &CLI_LAYERS)]
    {
        let sources = sources(&root().join(folder));
        let modules: BTreeSet<&str> =
            sources.iter().map(Source::module).filter(|name| *name != "lib").collect();
        let known: BTreeSet<&str> = layers.iter().map(|(name, _)| *name).collect();
        assert_eq!(modules, known, "{folder}");
    }
}

/// The table in the core's documentation names the modules from the top layer down.
#[test]
fn the_tour_of_the_layers_is_in_their_order() {
    let text = std::fs::read_to_string(root().join("core/src/lib.rs")).expect("the core's root");
    // Behind it is the table of features.
    let lines = text.lines().take_while(|line| *line != "//! # Features");
    let rows = lines.filter_map(|line| line.strip_prefix("//! | `"));
    let toured: Vec<Vec<&str>> = rows
        .map(|row| {
            row.split('|')
                .next()
                .unwrap_or(row)
                .split(", `")
                .filter_map(|name| name.split('`').next())
                .collect()
        })
        .collect();
    let named: BTreeSet<&str> = toured.iter().flatten().copied().collect();
    assert_eq!(named, LAYERS.iter().map(|(name, _)| *name).collect());
    let layers: Vec<u8> = toured.iter().flatten().filter_map(|name| layer(name)).collect();
    assert!(layers.is_sorted_by(|above, below| above >= below), "{toured:?}");
}

// --- what must be absent --------------------------------------------------------------------------------------

/// Lines of the sources below a folder that contain a word, as `path:line: text`.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources(&root().join(folder)) {
        for (number, line) in source.lines() {
            if words.iter().any(|word| source::contains_path(line, word)) {
                found.push(format!("{folder}/{}:{number}: {}", source.path.display(), line.trim()));
            }
        }
    }
    found
}

#[test]
fn unsafe_code_is_forbidden() {
    for package in ["core", "hal", "sim"] {
        let text =
            std::fs::read_to_string(root().join(package).join("src/lib.rs")).expect("a package has a root");
        assert!(text.lines().any(|line| line == "#![forbid(unsafe_code)]"), "{package}/src/lib.rs");
    }
}

#[test]
fn firmware_needs_neither_std_nor_an_allocator() {
    for package in ["core", "hal"] {
        let folder = format!("{package}/src");
        let text =
            std::fs::read_to_string(root().join(&folder).join("lib.rs")).expect("a package has a root");
        assert!(text.lines().any(|line| line == "#![no_std]"), "{folder}/lib.rs");
        check_none("std or alloc outside tests", &lines_with(&folder, &["std", "alloc", "extern crate"]));
    }
}

#[test]
fn files_of_a_folder_do_not_use_each_other_in_a_circle() {
    let mut uses: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for folder in ["core/src", "core/dynamicfs-c/src", "hal/std-host-shim/src"] {
        for source in sources(&root().join(folder)) {
            let path = Path::new(folder).join(&source.path);
            let stem = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            if ["mod", "lib"].contains(&stem.as_str()) {
                continue;
            }
            let others = siblings(&source).into_iter().filter(|name| *name != stem);
            let others = others.map(|name| path.with_file_name(format!("{name}.rs")));
            uses.insert(path.clone(), others.filter(|other| root().join(other).is_file()).collect());
        }
    }
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 100, "few uses were found: {uses:?}");
    // What leads nowhere is in no circle; what is left when all of that is taken away is, or leads to one.
    while let Some(end) = uses.iter().find(|(_, others)| others.iter().all(|other| !uses.contains_key(other)))
    {
        let end = end.0.clone();
        uses.remove(&end);
    }
    let left = uses.into_iter().map(|(path, others)| format!("{} uses {others:?}", path.display()));
    check_none("files in a circle, or above one", &left.collect::<Vec<_>>());
}

/// Where integers become bytes outside `format`, and why that is not the format's affair.
const RAW_BYTES: [(&str, &str); 3] = [
    ("space/mod.rs", "the headers of the bitmaps in memory, and runs that are not written yet"),
    ("object/store.rs", "a checksum on its way into a record, at the place that the format gives"),
    ("object/get.rs", "a checksum out of a record, from the place that the format gives"),
];

#[test]
fn offsets_are_known_to_the_format_alone() {
    let words = ["Stored", "U48", "from_le_bytes", "to_le_bytes", "from_be_bytes", "to_be_bytes"];
    let outside = |line: &String| {
        let path = line.trim_start_matches("core/src/");
        !path.starts_with("format/") && !RAW_BYTES.iter().any(|(file, _)| path.starts_with(file))
    };
    let found = lines_with("core/src", &words);
    let wrong: Vec<String> = found.iter().filter(|line| outside(line)).cloned().collect();
    check_none("bytes of integers outside format/", &wrong);
    for (file, why) in RAW_BYTES {
        let used = found.iter().any(|line| line.starts_with(&format!("core/src/{file}")));
        assert!(used, "{file} need not be excepted any more ({why})");
    }
}

// --- what is only reported ------------------------------------------------------------------------------------

/// Lines from which on a file should show two concepts.
const LINES_MAX: usize = 600;

/// Reported, not failed: see it with `--nocapture`.
#[test]
fn long_files_are_reported() {
    let folders =
        PACKAGES.iter().map(|(_, folder, _)| format!("{folder}/src")).chain(["tests/tests".to_owned()]);
    let mut long = BTreeMap::new();
    for folder in folders.filter(|folder| root().join(folder).is_dir()) {
        let sources = sources(&root().join(&folder)).into_iter().filter(|source| source.length > LINES_MAX);
        long.extend(sources.map(|source| (format!("{folder}/{}", source.path.display()), source.length)));
    }
    for (file, lines) in long {
        println!("{file}: {lines} lines");
    }
}
