//! Golden images: today's code makes the same bytes as ever, and reads them. So does a reader that knows
//! nothing but the document.
//!
//! `UPDATE_GOLDEN=1` rewrites the images; when that is allowed stands in [`ADVICE`].

use dynamicfs_core::MountMode;
use dynamicfs_tests::golden::pools::{self, ALL, GoldenPool};
use dynamicfs_tests::golden::{ADVICE, container, is_update, load, load_manifest, load_stable, path};
use dynamicfs_tests::reader::{self, Key, Reader};
use std::collections::BTreeSet;

/// A file of the repository stays small.
const FILE_BYTES_MAX: usize = 112 << 10;

fn each(check: impl FnMut(&GoldenPool)) {
    ALL.iter().for_each(check);
}

/// Rewrites or compares a file.
fn check_file(pool: &GoldenPool, extension: &str, found: &[u8]) {
    let path = path(pool.name, extension);
    if is_update() {
        std::fs::write(&path, found).expect("the golden file is written");
        return;
    }
    let expected =
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}\n{ADVICE}", path.display()));
    let at = expected.iter().zip(found).position(|(a, b)| a != b).unwrap_or(expected.len().min(found.len()));
    assert!(expected == found, "{} differs from byte {at} on.\n{ADVICE}", path.display());
}

/// Where two sets of disks differ first, in words.
fn difference(expected: &[Vec<u8>], found: &[Vec<u8>]) -> Option<String> {
    expected.iter().zip(found).enumerate().find_map(|(disk, (a, b))| {
        let at = a.iter().zip(b).position(|(a, b)| a != b)?;
        Some(format!("disk {disk} differs from byte {at} (sector {}) on", at / 512))
    })
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    each(|pool| {
        let made = pools::make(pool);
        if let Some(difference) = difference(&made, &pools::make(pool)) {
            panic!("{}: made twice, {difference}", pool.name);
        }
        let packed = container::pack(&made);
        assert!(packed.len() <= FILE_BYTES_MAX, "{}: {} bytes", pool.name, packed.len());
        if !is_update()
            && let Some(difference) = difference(&load(pool.name), &made)
        {
            panic!("{}: {difference}.\n{ADVICE}", pool.name);
        }
        check_file(pool, "pool", &packed);
    });
}

#[test]
fn golden_images_mount_and_hold_what_their_manifests_say() {
    each(|pool| {
        let found = pools::read(pool, load(pool.name), MountMode::ReadOnly);
        check_file(pool, "manifest", found.as_bytes());
    });
}

/// Whatever the code makes today: what version 2 was when it became stable is read as ever, by the core and
/// by the document.
#[test]
fn pools_of_version_2_are_read_for_ever() {
    each(|pool| {
        let (disks, manifest) = load_stable(pool.name);
        for mode in [MountMode::ReadOnly, MountMode::ReadWrite] {
            assert_eq!(pools::read(pool, disks.clone(), mode), manifest, "{} {mode:?}", pool.name);
        }
        let found = reader::with_document(&disks, |reader| {
            reader.check_space();
            reader.manifest().to_string()
        });
        assert_eq!(found, manifest, "{}", pool.name);
    });
}

#[test]
fn golden_images_mount_for_writing() {
    each(|pool| {
        let found = pools::read(pool, load(pool.name), MountMode::ReadWrite);
        assert_eq!(found, pools::read(pool, load(pool.name), MountMode::ReadOnly), "{}", pool.name);
    });
}

#[test]
fn the_document_alone_is_enough_to_read_them() {
    each(|pool| {
        let found = reader::with_document(&load(pool.name), |reader| reader.manifest().to_string());
        let expected = if is_update() {
            pools::read(pool, load(pool.name), MountMode::ReadOnly)
        } else {
            load_manifest(pool.name)
        };
        assert_eq!(found, expected, "{}", pool.name);
    });
}

#[test]
fn the_document_accounts_for_every_block() {
    each(|pool| reader::with_document(&load(pool.name), |reader| reader.check_space()));
}

/// What the golden images have to show, all of them together, those that are kept for ever included.
const SHAPES: [&str; 20] = [
    "kind 1",
    "kind 2",
    "kind 3",
    "kind 4",
    "kind 7",
    "kind 16",
    "kind 17",
    "kind 18",
    "kind 19",
    "kind 20",
    "inner node",
    "full group",
    "group with a bitmap",
    "extent that goes on",
    "healed fragment",
    "deleted object",
    "untrusted span",
    "member that is owed",
    "entry in pieces",
    "contents in pieces",
];

fn shapes(reader: &Reader<'_>) -> Vec<String> {
    let mut shapes: Vec<String> =
        reader.records.iter().flat_map(|(key, value)| record_shapes(reader, key, value)).collect();
    let superblock = |field| reader.superblock.number(field) != 0;
    let states = [
        (superblock("orphans"), "deleted object"),
        (superblock("owed_raw"), "member that is owed"),
        (superblock("root_level"), "inner node"),
    ];
    shapes.extend(states.into_iter().filter(|(is, _)| *is).map(|(_, shape)| shape.to_owned()));
    shapes
}

fn record_shapes(reader: &Reader<'_>, key: &Key, value: &[u8]) -> Vec<String> {
    let at = reader::offset_of(key);
    let shape = match (key[8], value) {
        (1, _) if reader.structures["MemberRecord"].view(value).number("spans") > 0 => "untrusted span",
        (2, [1]) => "full group",
        (2, _) => "group with a bitmap",
        (17 | 18, [0, ..]) => "entry in pieces",
        (19, _) if at > 0 => "contents in pieces",
        (20, _) if !at.is_multiple_of(4096) => "extent that goes on",
        (20, _) if reader.structures["ExtentHeader"].view(value).number("healed") > 0 => "healed fragment",
        _ => "",
    };
    vec![format!("kind {}", key[8]), shape.to_owned()]
}

#[test]
fn golden_images_show_every_record_and_shape() {
    let mut seen = BTreeSet::new();
    each(|pool| {
        seen.extend(reader::with_document(&load(pool.name), shapes));
        // What today's code leaves no longer, it must read all the same.
        seen.extend(reader::with_document(&load_stable(pool.name).0, shapes));
    });
    let missing: Vec<&str> = SHAPES.into_iter().filter(|&shape| !seen.contains(shape)).collect();
    assert!(missing.is_empty(), "no golden image has: {missing:?}; there are {seen:?}");
}
