//! Valid pools that hold every kind of record, made once in the process.

use crate::array::{Array, Counter, NoClock, crc32c};
use dynamicfs_core::format::label::{self, DiskIdentity};
use dynamicfs_core::format::node::Node;
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::superblock::{self, SlotContents, Superblock};
use dynamicfs_core::object::{AttributeMode, Attributes, MakeRequest};
use dynamicfs_core::types::{BlockAddress, ObjectId, Scheme};
use dynamicfs_core::{
    CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, ReadObjects, Services, Transaction,
};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A tree node of an image, once; it is written to all its replicas.
#[derive(Clone)]
pub struct NodeImage {
    /// Where it is written.
    pub replicas: Vec<BlockAddress>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A valid superblock of an image, once; it is written to both rings of its disk.
#[derive(Clone)]
pub struct SlotImage {
    /// The disk's index.
    pub disk: usize,
    /// The place in the rings.
    pub place: u64,
    /// How many of the disk's superblocks are newer.
    pub age: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A valid pool.
pub struct Base {
    /// The disks' bytes.
    pub disks: Vec<Vec<u8>>,
    /// What all labels say.
    pub parameters: PoolParameters,
    /// What each label says.
    pub identities: Vec<DiskIdentity>,
    /// All nodes of the newest state, parents before children.
    pub nodes: Vec<NodeImage>,
    /// All valid superblocks.
    pub slots: Vec<SlotImage>,
    /// Blocks that nothing lies in, for new nodes.
    pub spare: Vec<BlockAddress>,
}

/// The pools that edits start from.
pub fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        let raid = FormatOptions::portable(Scheme { data: 2, parity: 1 });
        let single = FormatOptions::portable(Scheme::SINGLE)
            .node_bytes(1024)
            .block_bytes(2048)
            .chunk_bytes(1024)
            .extent_bytes(16384);
        let mirror = FormatOptions::portable(Scheme::mirror(2)).tolerance(2);
        let spare = Base::of(make(3, 256 << 10, &raid, false));
        let degraded = Base::of(make(3, 256 << 10, &raid, true));
        let single = Base::of(make(1, 1 << 20, &single, false));
        let mirror = Base::of(make(4, 256 << 10, &mirror, true));
        vec![spare, degraded, single, mirror]
    })
}

/// Mounts the disks, changes them in one transaction, and does some steps of maintenance.
fn change(
    disks: Vec<Vec<u8>>,
    steps: usize,
    f: &mut dyn for<'t, 'p, 'm> FnMut(&'t mut Transaction<'p, 'm, Array>),
) -> Vec<Vec<u8>> {
    let (mut bytes, mut entries) = (vec![0; 256 << 10], vec![CacheEntry::NEW; 256]);
    let mut states = vec![DiskState::NEW; disks.len()];
    let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
    let services = Services::new(crc32c, &NoClock);
    let mut pool =
        Pool::mount(Array::new(disks), memory, services, &MountOptions::default()).expect("mounts");
    let mut transaction = pool.begin().expect("begins");
    f(&mut transaction);
    transaction.commit().expect("commits");
    for _ in 0..steps {
        pool.maintain(true).expect("maintains");
    }
    pool.into_array().disks
}

/// Makes a pool and gives it a history.
fn make(count: usize, disk_bytes: usize, options: &FormatOptions, degraded: bool) -> Vec<Vec<u8>> {
    let (mut bytes, mut entries) = (vec![0; 256 << 10], vec![CacheEntry::NEW; 256]);
    let mut states = vec![DiskState::NEW; count];
    let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
    let services = Services::new(crc32c, &NoClock);
    let array = Array::new(vec![vec![0; disk_bytes]; count]);
    let pool = Pool::format(array, memory, services, &mut Counter(7), options, &[]).expect("formats");
    let mut disks = pool.into_array().disks;
    let plain = Attributes::new().mode(0o644);
    disks = change(disks, 0, &mut |t| {
        let sub = t.create(ObjectId::ROOT, b"sub", &MakeRequest::Directory, &plain).unwrap();
        for n in 0..12u8 {
            let file = t.create(sub, &[b'a' + n], &MakeRequest::File, &plain).unwrap();
            t.write_all(file, 0, &vec![n; 7 * usize::from(n)]).unwrap();
        }
        let long = t.create(sub, &[b'n'; 255], &MakeRequest::Symlink(&[b't'; 300]), &plain).unwrap();
        t.link(long, ObjectId::ROOT, b"again").unwrap();
        let big = t.create(ObjectId::ROOT, b"big", &MakeRequest::File, &plain).unwrap();
        t.write_all(big, 0, &vec![0xB1; 30_000]).unwrap();
        t.set_attribute(big, b"user.long", &[b'v'; 700], AttributeMode::Create).unwrap();
        t.set_attribute(big, b"user.short", b"v", AttributeMode::Create).unwrap();
    });
    let mut doomed = ObjectId::ROOT;
    disks = change(disks, 0, &mut |t| {
        doomed = t.create(ObjectId::ROOT, b"doomed", &MakeRequest::File, &plain).unwrap();
        for n in 0..70 {
            t.write_all(doomed, 8192 * n, &[7; 300]).unwrap();
        }
        t.save_counters().unwrap();
    });
    if degraded {
        // One disk misses a commit and comes back.
        let kept = core::mem::take(&mut disks[count - 1]);
        disks = change(disks, 0, &mut |t| {
            let file = t.create(ObjectId::ROOT, b"while away", &MakeRequest::File, &plain).unwrap();
            t.write_all(file, 5000, &[0xAA; 3000]).unwrap();
        });
        disks[count - 1] = kept;
    }
    disks = change(disks, usize::from(degraded), &mut |t| {
        let big = t.resolve(b"big").unwrap();
        t.write_all(big, 9_000, &[0xB2; 5000]).unwrap();
        let fifo = MakeRequest::Special(dynamicfs_core::format::inode::ObjectKind::Fifo);
        t.create(ObjectId::ROOT, b"pipe", &fifo, &plain).unwrap();
    });
    change(disks, 0, &mut |t| t.unlink(ObjectId::ROOT, b"doomed").unwrap())
}

impl Base {
    fn of(disks: Vec<Vec<u8>>) -> Self {
        let labels: Vec<_> =
            disks.iter().map(|disk| label::decode(&disk[..512], crc32c).expect("a label")).collect();
        let parameters = labels[0].0;
        let identities: Vec<DiskIdentity> = labels.iter().map(|label| label.1).collect();
        let mut base = Self { disks, parameters, identities, nodes: vec![], slots: vec![], spare: vec![] };
        base.find_slots();
        base.find_nodes();
        base.find_spare();
        base
    }

    /// The disk and the byte where a block lies.
    pub fn locate(&self, address: BlockAddress) -> Option<(usize, usize)> {
        let disk = self.identities.iter().position(|identity| identity.member == address.member)?;
        let at = usize::try_from(address.block).ok()?.checked_mul(self.parameters.block_bytes())?;
        (at + self.parameters.block_bytes() <= self.disks[disk].len()).then_some((disk, at))
    }

    fn find_slots(&mut self) {
        let p = self.parameters;
        for (disk, identity) in self.identities.iter().enumerate() {
            let from = self.slots.len();
            for place in 0..u64::from(p.ring_length) {
                let at = (identity.ring_a + place * u64::from(p.slot_bytes)) as usize;
                let bytes = self.disks[disk][at..at + p.superblock_bytes()].to_vec();
                if superblock::examine(&bytes, &p, identity.disk, place, crc32c) == SlotContents::Valid {
                    self.slots.push(SlotImage { disk, place, age: 0, bytes });
                }
            }
            let sequence = |slot: &SlotImage| Superblock::new(&slot.bytes[..]).unwrap().sequence();
            self.slots[from..].sort_by_key(|slot| core::cmp::Reverse(sequence(slot)));
            for (age, slot) in self.slots[from..].iter_mut().enumerate() {
                slot.age = age;
            }
        }
    }

    fn find_nodes(&mut self) {
        let newest = self.slots.iter().filter(|slot| slot.age == 0);
        let newest = newest.max_by_key(|slot| Superblock::new(&slot.bytes[..]).unwrap().order()).unwrap();
        let mut waiting = vec![Superblock::new(&newest.bytes[..]).unwrap().root()];
        let mut next = 0;
        while next < waiting.len() {
            let replicas = waiting[next].replicas().to_vec();
            let (disk, at) = self.locate(replicas[0]).unwrap();
            let bytes = self.disks[disk][at..at + self.parameters.node_bytes()].to_vec();
            let node = Node::new(&bytes[..]);
            if node.level() > 0 {
                waiting.extend((0..node.count()).map(|i| node.pointer(i)));
            }
            self.nodes.push(NodeImage { replicas, bytes });
            next += 1;
        }
    }

    /// Blocks at the end of the first disk's data area that hold nothing but zeros.
    fn find_spare(&mut self) {
        let identity = self.identities[0];
        let used: BTreeSet<BlockAddress> = self.nodes.iter().flat_map(|node| node.replicas.clone()).collect();
        for block in (identity.data_start..identity.data_start + identity.data_blocks).rev() {
            let address = BlockAddress { member: identity.member, block };
            let Some((disk, at)) = self.locate(address) else { continue };
            let bytes = &self.disks[disk][at..at + self.parameters.block_bytes()];
            if !used.contains(&address) && bytes.iter().all(|&byte| byte == 0) && self.spare.len() < 20 {
                self.spare.push(address);
            }
        }
    }
}
