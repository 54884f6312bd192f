//! The dumps in `docs/FORMAT.md`: parts of a golden image in hexadecimal, field by field, with what they mean.

use crate::document::{Row, Structure, View, number};
use crate::reader::{self, Address, Reader};
use std::fmt::Write;
use std::ops::Range;

/// Bytes on one line.
const LINE: usize = 16;
/// Zero bytes from which on they are shortened.
const ZEROS: usize = 12;

/// Lines of a dump: byte of the disk, bytes, what they are.
#[derive(Debug, Default)]
pub struct Dump(String);

impl Dump {
    fn line(&mut self, at: usize, bytes: &[u8], what: &str) {
        if bytes.len() >= ZEROS && bytes.iter().all(|&byte| byte == 0) {
            let zeros = format!("00 × {}", bytes.len());
            return self.push(at, &zeros, what);
        }
        for (i, part) in bytes.chunks(LINE).enumerate() {
            let hex: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
            self.push(at + i * LINE, &hex.join(" "), if i == 0 { what } else { "" });
        }
    }

    fn push(&mut self, at: usize, hex: &str, what: &str) {
        let line = format!("{at:06x}  {hex:47}  {what}");
        writeln!(self.0, "{}", line.trim_end()).expect("a string takes everything");
    }

    /// Every row of a structure's table.
    fn structure(&mut self, at: usize, view: &View<'_>) {
        for row in &view.structure.rows {
            let bytes = &view.bytes[row.offset..row.offset + row.bytes];
            self.line(at + row.offset, bytes, &meaning(row, bytes));
        }
    }
}

/// A field's name, and its number or text, where that tells something.
fn meaning(row: &Row, bytes: &[u8]) -> String {
    let (name, text) = (&row.name, bytes.iter().all(u8::is_ascii_alphanumeric));
    match (name.as_str(), bytes.len()) {
        ("—" | "…", _) => name.clone(),
        ("magic", _) if text => format!("magic = {}", bytes.escape_ascii()),
        ("crc" | "root_crc", _) => format!("{name} = {:#010x}", number(bytes)),
        ("mode", _) => format!("{name} = {:#o}", number(bytes)),
        (_, 1..=6) => format!("{name} = {}", number(bytes)),
        (_, 8) if number(bytes) < 1 << 48 => format!("{name} = {}", number(bytes)),
        _ => name.clone(),
    }
}

/// The label of disk 0.
pub fn label(reader: &Reader<'_>, disks: &[Vec<u8>]) -> String {
    let mut dump = Dump::default();
    dump.structure(0, &reader::label(reader.structures, &disks[0]));
    dump.0
}

/// The newest superblock of disk 0, its rows that are in use and an empty one.
pub fn superblock(reader: &Reader<'_>, disks: &[Vec<u8>]) -> String {
    let label = reader::label(reader.structures, &disks[0]);
    let (at, slot) = reader::newest_slot(reader.structures, &disks[0], &label);
    let mut dump = Dump::default();
    dump.structure(at, &slot);
    let row = &reader.structures["MemberRow"];
    let mut end = slot.structure.bytes;
    for _ in 0..slot.number("member_rows") {
        dump.structure(at + end, &row.view(&slot.bytes[end..]));
        end += row.bytes;
    }
    dump.line(at + end, &slot.bytes[end..], "the rest of the slot");
    dump.0
}

/// The leaf that holds the inode of an object, its first replica.
pub fn leaf(reader: &Reader<'_>, disks: &[Vec<u8>], object: u64) -> String {
    let inode = reader::key(object, 16, 0, 0);
    let node = reader
        .nodes
        .iter()
        .find(|node| node.level == 0 && node.keys.contains(&inode))
        .expect("the object's leaf");
    let (disk, at) = reader.place(node.replicas[0]);
    let bytes = &disks[disk][at..at + reader.node_bytes()];
    let mut dump = Dump::default();
    writeln!(dump.0, "        disk {disk}, {}", place(node.replicas[0])).expect("a string takes everything");
    dump.structure(at, &reader.structures["NodeHeader"].view(bytes));
    let slots = bytes.len() - 2 * node.keys.len();
    let mut end = 32;
    for _ in &node.keys {
        end = record(&mut dump, reader, at, bytes, end);
    }
    dump.line(at + end, &bytes[end..slots], "free");
    for i in (0..node.keys.len()).rev() {
        let slot = bytes.len() - 2 * (i + 1);
        dump.line(
            at + slot,
            &bytes[slot..slot + 2],
            &format!("slot {i} = {}", number(&bytes[slot..slot + 2])),
        );
    }
    dump.0
}

fn place(address: Address) -> String {
    format!("member {} block {}", address.member, address.block)
}

/// One record of a leaf; where it ends.
fn record(dump: &mut Dump, reader: &Reader<'_>, at: usize, node: &[u8], start: usize) -> usize {
    let key = &node[start..start + 21];
    let part = |range: Range<usize>| &key[range];
    let big = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let (kind, value) = (key[8], start + 23);
    dump.line(at + start, part(0..8), &format!("key: object = {}", big(part(0..8))));
    dump.line(at + start + 8, part(8..9), &format!("  kind = {kind}"));
    dump.line(at + start + 9, part(9..17), &format!("  offset = {:#x}", big(part(9..17))));
    dump.line(at + start + 17, part(17..21), "  snapshot");
    let length = number(&node[start + 21..value]) as usize;
    dump.line(at + start + 21, &node[start + 21..value], &format!("length = {length}"));
    let bytes = &node[value..value + length];
    match structure_of(reader, kind) {
        Some(structure) => {
            dump.structure(at + value, &structure.view(bytes));
            dump.line(at + value + structure.bytes, &bytes[structure.bytes..], "what follows it");
        }
        None => dump.line(at + value, bytes, &text(bytes)),
    }
    value + length
}

fn structure_of<'r>(reader: &'r Reader<'_>, kind: u8) -> Option<&'r Structure> {
    let names = [
        (1, "MemberRecord"),
        (4, "OrphanRecord"),
        (7, "CountersRecord"),
        (16, "InodeRecord"),
        (20, "ExtentHeader"),
    ];
    let (_, name) = names.into_iter().find(|&(number, _)| number == kind)?;
    reader.structures.get(name)
}

fn text(bytes: &[u8]) -> String {
    let readable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n');
    if bytes.iter().all(readable) { format!("\"{}\"", bytes.escape_ascii()) } else { "value".to_owned() }
}
