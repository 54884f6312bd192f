//! `docs/FORMAT.md` says what the code says: fields, kinds, limits, constants; and its dumps are the golden image's
//! bytes. `UPDATE_GOLDEN=1` rewrites the dumps.

use dynamicfs_core::format::field::Field;
use dynamicfs_core::format::key::{KEY_BYTES, Kind};
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::format::{
    extent, inode, job, label, name, node, parameters, pointer, record, superblock,
};
use dynamicfs_core::limits;
use dynamicfs_tests::document::{self, Document, Row, Structure};
use dynamicfs_tests::golden::{ADVICE, is_update, load};
use dynamicfs_tests::{dump, reader};
use std::collections::{BTreeMap, BTreeSet};

/// The golden pool that the document shows.
const SHOWN: &str = "mirror-2";

/// A structure of the code: its name, bytes and fields.
type Layout = (&'static str, usize, &'static [Field]);

macro_rules! layouts {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((stringify!($name), $module::$name::<&[u8]>::BYTES, $module::$name::<&[u8]>::FIELDS)),*]
    };
}

const LAYOUTS: [Layout; 14] = layouts![
    label::Label,
    superblock::Superblock,
    superblock::AncestorEntry,
    superblock::MemberRow,
    node::NodeHeader,
    record::MemberRecord,
    record::OrphanRecord,
    record::CountersRecord,
    job::JobRecord,
    job::ReadRecord,
    job::FailedItem,
    inode::InodeRecord,
    extent::ExtentHeader,
    extent::ExtentEncoding,
];

// --- byte tables ----------------------------------------------------------------------------------------------

/// What the document's table should say, as its rows begin.
fn expected_rows(fields: &[Field]) -> Vec<Row> {
    fields.iter().map(|f| Row { name: f.name.to_owned(), offset: f.offset, bytes: f.bytes }).collect()
}

fn in_markdown(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("| `{}` | {} | {} |\n", row.name, row.offset, row.bytes)).collect()
}

fn check_structure(found: &Structure, (name, bytes, fields): Layout) {
    assert_eq!(found.bytes, bytes, "{name}: bytes");
    let named: Vec<Row> = found.rows.iter().filter(|row| row.is_field()).cloned().collect();
    let expected = expected_rows(fields);
    assert!(
        named == expected,
        "{name}: the document says\n{}the code says\n{}",
        in_markdown(&named),
        in_markdown(&expected)
    );
    // With the rows for zeros and continuations the table covers each byte once.
    let mut end = 0;
    for row in &found.rows {
        assert_eq!(row.offset, end, "{name}: the row `{}` follows the one before", row.name);
        end += row.bytes;
    }
    assert_eq!(end, bytes, "{name}: the rows end with the structure");
}

#[test]
fn every_structure_is_in_the_document_as_it_is() {
    let mut structures = Document::load().structures();
    for layout in LAYOUTS {
        let found = structures.remove(layout.0).unwrap_or_else(|| panic!("the document lacks {}", layout.0));
        check_structure(&found, layout);
    }
    assert!(structures.is_empty(), "the code lacks {:?}", structures.keys());
}

/// No structure of the format is missing from this test.
#[test]
fn every_layout_of_the_code_is_compared() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/format");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the format's sources") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a source");
        let blocks = text.split("\nlayout! {").skip(1);
        let name = |block: &str| {
            let line = block.lines().find(|line| line.trim_end().ends_with("bytes {"))?;
            Some(line.trim().split(',').next()?.to_owned())
        };
        found.extend(blocks.filter_map(name));
    }
    let compared: BTreeSet<String> = LAYOUTS.iter().map(|layout| layout.0.to_owned()).collect();
    assert_eq!(found, compared);
}

// --- other tables ---------------------------------------------------------------------------------------------

/// The first two columns of the tables with this header.
fn pairs(columns: &[&str]) -> BTreeMap<String, String> {
    let rows = Document::load().tables(columns);
    rows.into_iter().map(|mut cells| (cells.remove(0), cells.remove(0))).collect()
}

fn check_pairs(found: &BTreeMap<String, String>, expected: impl IntoIterator<Item = (&'static str, String)>) {
    let expected: BTreeMap<String, String> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let differences: Vec<_> = found
        .iter()
        .filter(|pair| !expected.iter().any(|e| e == *pair))
        .map(|pair| ("document", pair))
        .collect();
    let missing: Vec<_> =
        expected.iter().filter(|pair| !found.iter().any(|f| f == *pair)).map(|pair| ("code", pair)).collect();
    assert!(differences.is_empty() && missing.is_empty(), "{differences:?} {missing:?}");
}

#[test]
fn kinds_have_the_documents_numbers() {
    let rows = Document::load().tables(&["kind", "number"]);
    let found: Vec<(String, String)> =
        rows.into_iter().map(|cells| (cells[0].clone(), cells[1].clone())).collect();
    let expected: Vec<(String, String)> =
        Kind::ALL.iter().map(|&kind| (format!("{kind:?}"), (kind as u8).to_string())).collect();
    assert_eq!(found, expected);
}

#[test]
fn member_states_have_the_documents_numbers() {
    let rows = Document::load().tables(&["state", "value"]);
    let found: Vec<(String, String)> =
        rows.into_iter().map(|cells| (cells[0].clone(), cells[1].clone())).collect();
    let expected: Vec<(String, String)> =
        MemberState::ALL.iter().map(|&state| (format!("{state:?}"), (state as u8).to_string())).collect();
    assert_eq!(found, expected);
}

/// The named constants of a module, as the document writes them.
macro_rules! values {
    ($module:path => $($name:ident),* $(,)?) => {{
        use $module as module;
        [$((stringify!($name), module::$name.to_string())),*]
    }};
}

#[test]
fn limits_are_the_documents() {
    let expected = values![dynamicfs_core::limits =>
        MEMBERS_MAX, DATA_FRAGMENTS_MAX, PARITY_FRAGMENTS_MAX, FRAGMENTS_MAX, NODE_PLACES_MAX, NODE_BYTES_MIN,
        NODE_BYTES_MAX, DEPTH_MAX, BLOCK_BYTES_MIN, BLOCK_BYTES_MAX, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX,
        EXTENT_BYTES_MIN, EXTENT_BYTES_MAX, GROUP_BLOCKS_MIN, GROUP_BLOCKS_MAX, GROUPS_MIN, GROUPS_MAX, NODE_GROUP_FREE_MIN,
        RING_LENGTH_MIN, RING_LENGTH_MAX, NAME_BYTES_MAX, SYMLINK_BYTES_MAX, XATTR_BYTES_MAX, OBJECT_BYTES_MAX,
        LINKS_MAX, BRANCHES_MAX, U48_MAX,
    ];
    check_pairs(&pairs(&["limit", "value"]), expected);
}

/// Limits of memory and time, which no disk shows.
const NOT_OF_THE_FORMAT: [&str; 6] = [
    "NODE_COPIES_MAX",
    "UPDATE_NODES_MAX",
    "DIRECTORY_DEPTH_MAX",
    "REPAIRS_MAX",
    "NODE_REPAIRS_MAX",
    "EVENTS_PER_DISK",
];

#[test]
fn every_limit_is_in_the_document() {
    let source = include_str!("../../core/src/limits.rs");
    let named = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let documented = pairs(&["limit", "value"]);
    let missing: Vec<&str> =
        named.filter(|name| !documented.contains_key(*name) && !NOT_OF_THE_FORMAT.contains(name)).collect();
    assert!(missing.is_empty(), "neither in the document nor named here as none of its affair: {missing:?}");
}

fn ascii(number: u64) -> String {
    let bytes = number.to_le_bytes();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

#[test]
fn constants_are_the_documents() {
    let magics = [
        ("LABEL_MAGIC", ascii(label::LABEL_MAGIC)),
        ("SUPERBLOCK_MAGIC", ascii(superblock::SUPERBLOCK_MAGIC.into())),
        ("NODE_MAGIC", ascii(node::NODE_MAGIC.into())),
    ];
    let numbers = [
        ("FORMAT_VERSION", u64::from(label::FORMAT_VERSION)),
        ("ALGORITHM_CRC32C", label::ALGORITHM_CRC32C.into()),
        ("GROUP_NONE", superblock::GROUP_NONE.into()),
        ("KEY_BYTES", KEY_BYTES as u64),
        ("RECORD_OVERHEAD", node::RECORD_OVERHEAD as u64),
        ("POINTER_BYTES_MAX", pointer::POINTER_BYTES_MAX as u64),
        ("RUN_BYTES", record::dead::RUN_BYTES as u64),
        ("SPANS_MAX", record::SPANS_MAX as u64),
        ("PIECE_FIRST", name::PIECE_FIRST.into()),
        ("PLACES", name::PLACES),
        ("ENTRY_HEADER", name::ENTRY_HEADER as u64),
        ("CRC_BYTES", extent::CRC_BYTES as u64),
        ("SECTOR_BYTES_MAX", parameters::SECTOR_BYTES_MAX.into()),
    ];
    let numbers = numbers.map(|(name, number)| (name, number.to_string()));
    check_pairs(&pairs(&["constant", "value"]), magics.into_iter().chain(numbers));
}

#[test]
fn the_places_of_copies_are_the_documents() {
    let found: Vec<String> = pairs(&["place of the copy", "byte"]).into_values().collect();
    let mut expected = parameters::COPY_PLACES.map(|at| at.to_string());
    expected.sort_unstable();
    let mut found = found;
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn the_longest_values_are_the_documents() {
    let sizes = (0..)
        .map(|shift| limits::NODE_BYTES_MIN << shift)
        .take_while(|&bytes| bytes <= limits::NODE_BYTES_MAX);
    let expected: BTreeMap<String, String> =
        sizes.map(|bytes| (bytes.to_string(), node::value_bytes_max(bytes).to_string())).collect();
    assert_eq!(pairs(&["node", "longest value"]), expected);
}

// --- dumps ----------------------------------------------------------------------------------------------------

#[test]
fn the_dumps_are_the_golden_image() {
    let disks = load(SHOWN);
    let dumps = reader::with_document(&disks, |reader| {
        let inline = reader.manifest().0[&b"inline"[..]].object;
        [
            ("label", dump::label(reader, &disks)),
            ("superblock", dump::superblock(reader, &disks)),
            ("leaf", dump::leaf(reader, &disks, inline)),
        ]
    });
    let mut document = Document::load();
    for (name, expected) in &dumps {
        if is_update() {
            document.text = document.with_dump(name, expected);
        } else {
            check_dump(name, document.dump(name), expected);
        }
    }
    if is_update() {
        std::fs::write(document::path(), &document.text).expect("the document is written");
    }
}

fn check_dump(name: &str, found: &str, expected: &str) {
    let lines = found.lines().zip(expected.lines());
    let first = lines.into_iter().find(|(found, expected)| found != expected);
    assert!(found == expected, "the dump of the {name} differs: (document, image) = {first:#?}\n{ADVICE}");
}
