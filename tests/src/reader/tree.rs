//! The tree: every node and each of its replicas, proved.

use super::{Address, Key, NodePlace, Reader};
use crate::document::number;
use dynamicfs_core::format::checksum::crc32c;

/// What leads to a node, and the keys it may hold.
#[derive(Clone)]
struct Pointer {
    crc: u64,
    birth: u64,
    replicas: Vec<Address>,
    level: u64,
    lower: Key,
    upper: Option<Key>,
}

impl Reader<'_> {
    pub(super) fn read_tree(&mut self) {
        let superblock = &self.superblock;
        let copies = superblock.number("root_copies") as usize;
        let at = superblock.structure.range("root_replicas_raw").start;
        let root = Pointer {
            crc: superblock.number("root_crc"),
            birth: superblock.number("root_birth"),
            replicas: addresses(&superblock.bytes[at..at + 8 * copies]),
            level: superblock.number("root_level"),
            lower: [0; 21],
            upper: None,
        };
        let mut waiting = vec![root];
        while let Some(pointer) = waiting.pop() {
            waiting.extend(self.read_node(&pointer));
        }
    }

    /// Reads a node; the pointers that it holds.
    fn read_node(&mut self, pointer: &Pointer) -> Vec<Pointer> {
        let node = self.prove_replicas(pointer);
        let records = records(self, node);
        self.check_bounds(pointer, &records);
        let keys = records.iter().map(|(key, _)| *key).collect::<Vec<Key>>();
        self.nodes.push(NodePlace {
            replicas: pointer.replicas.clone(),
            level: pointer.level,
            keys: keys.clone(),
        });
        if pointer.level == 0 {
            self.records.extend(records.into_iter().map(|(key, value)| (key, value.to_vec())));
            return Vec::new();
        }
        let children = records.iter().enumerate();
        children
            .map(|(i, (key, value))| {
                assert_eq!(value.len(), 11 + 8 * usize::from(value[10]), "a pointer's length");
                Pointer {
                    crc: number(&value[..4]),
                    birth: number(&value[4..10]),
                    replicas: addresses(&value[11..]),
                    level: pointer.level - 1,
                    lower: if i == 0 { pointer.lower } else { *key },
                    upper: keys.get(i + 1).copied().or(pointer.upper),
                }
            })
            .collect()
    }

    fn prove_replicas(&self, pointer: &Pointer) -> Vec<u8> {
        let replicas: Vec<&[u8]> =
            pointer.replicas.iter().map(|&at| self.bytes_at(at, self.node_bytes())).collect();
        for node in &replicas {
            let header = self.structures["NodeHeader"].view(node);
            assert_eq!(header.number("crc"), pointer.crc, "{:?}", pointer.replicas);
            assert_eq!(u64::from(crc32c(0, &node[4..])), pointer.crc, "{:?}", pointer.replicas);
            assert_eq!(header.field("magic"), b"DFnd");
            assert_eq!(header.number("level"), pointer.level);
            assert_eq!(header.number("birth"), pointer.birth);
            assert!(
                pointer.birth <= self.superblock.number("generation_raw"),
                "nothing is born after its commit"
            );
            assert_eq!(header.field("pool"), &self.label.field("pool")[..8]);
        }
        replicas[0].to_vec()
    }

    fn check_bounds(&self, pointer: &Pointer, records: &[(Key, Vec<u8>)]) {
        assert!(records.is_sorted_by(|a, b| a.0 < b.0), "keys ascend");
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            assert_eq!(self.superblock.number("root_level"), 0, "an empty leaf is the root");
            return;
        };
        assert!(
            first.0 >= pointer.lower && pointer.upper.is_none_or(|upper| last.0 < upper),
            "keys are within bounds"
        );
    }
}

fn addresses(bytes: &[u8]) -> Vec<Address> {
    assert!((1..=5).contains(&(bytes.len() / 8)), "1 to 5 places");
    let places: Vec<Address> = bytes.chunks_exact(8).map(Address::load).collect();
    let used = places.iter().take_while(|place| place.is_some()).count();
    assert!(used > 0, "a node has a replica");
    assert!(
        places[used..].iter().all(|&place| place == Address { member: 65535, block: 0 }),
        "unused places"
    );
    places[..used].to_vec()
}

/// The records of a node, found by their slots and proved to lie one after the other.
fn records(reader: &Reader<'_>, node: Vec<u8>) -> Vec<(Key, Vec<u8>)> {
    let count = reader.structures["NodeHeader"].view(&node).number("count") as usize;
    let slots = node.len() - 2 * count;
    let mut end = 32;
    let records = (0..count)
        .map(|i| {
            let slot = node.len() - 2 * (i + 1);
            assert_eq!(number(&node[slot..slot + 2]), end as u64, "slot {i}");
            let value = end + 23;
            let length = number(&node[end + 21..value]) as usize;
            assert!(length <= reader.value_max(), "a value of {length} bytes");
            let key = node[end..end + 21].try_into().expect("21 bytes");
            end = value + length;
            (key, node[value..end].to_vec())
        })
        .collect();
    assert!(end <= slots && node[end..slots].iter().all(|&byte| byte == 0), "the free bytes are zero");
    records
}
