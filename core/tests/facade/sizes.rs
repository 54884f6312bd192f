//! Pools of other sizes than the usual: what they take, and which are refused.

use super::{Known, Lent, RamDisk, SERVICES};
use dynamicfs_core::error::{FormatError, MountError};
use dynamicfs_core::maintenance::CheckReport;
use dynamicfs_core::types::{DiskIndex, MemoryNeeds, Scheme};
use dynamicfs_core::{FormatOptions, Memory, MountOptions, Pool, ReadObjects};
use dynamicfs_hal::{BlockDevice, Geometry, SerialArray};

const TEAR_UNIT: u32 = 16384;
const SCHEME: Scheme = Scheme::mirror(2);

/// A card in memory.
struct Card<'d>(RamDisk<&'d mut [u8]>);

impl BlockDevice for Card<'_> {
    type Error = <RamDisk<&'static mut [u8]> as BlockDevice>::Error;

    fn geometry(&self) -> Geometry {
        Geometry { tear_unit: TEAR_UNIT, ..self.0.geometry() }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(lba, buf)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        self.0.write(lba, buf)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush()
    }
}

/// More than any pool on one disk here takes.
fn plenty() -> Lent {
    Lent::new(1 << 20, 64, 1)
}

fn one(contents: &mut [u8]) -> SerialArray<RamDisk<&mut [u8]>, 1> {
    SerialArray::new([RamDisk::new(contents, 512)])
}

fn cards(contents: &mut [Vec<u8>; 2]) -> SerialArray<Card<'_>, 2> {
    SerialArray::new(contents.each_mut().map(|bytes| Card(RamDisk::new(&mut bytes[..], 512))))
}

/// `portable` alone was refused on the cards that the guide for integrators describes.
#[test]
fn a_portable_pool_is_made_on_cards_for_their_tear_unit() {
    const SECTORS: u64 = 16384;
    const OPTIONS: FormatOptions = FormatOptions::portable(SCHEME).tear_unit(TEAR_UNIT);
    const NEEDS: MemoryNeeds =
        OPTIONS.memory(2, &Geometry { tear_unit: TEAR_UNIT, ..Geometry::new(512, SECTORS) });
    let mut contents = [vec![0; SECTORS as usize * 512], vec![0; SECTORS as usize * 512]];
    let mut lent = Lent::least(&NEEDS);
    let small = FormatOptions::portable(SCHEME);
    let refused =
        Pool::format(cards(&mut contents), lent.lend(), SERVICES, &mut Known(0), &small, &[]).map(drop);
    assert_eq!(refused.map_err(FormatError::from), Err(FormatError::Geometry { disk: DiskIndex(0) }));

    let made = Pool::format(cards(&mut contents), lent.lend(), SERVICES, &mut Known(0), &OPTIONS, &[]);
    let mut pool = made.map_err(FormatError::from).expect("formatted");
    let mut transaction = pool.begin().expect("begun");
    let file = transaction.write_file(b"file", &[7; 50_000]).expect("written");
    transaction.commit().expect("committed");
    drop(pool);

    let mounted = Pool::mount(cards(&mut contents), lent.lend(), SERVICES, &MountOptions::default());
    let mut pool = mounted.map_err(MountError::from).expect("mounted");
    let mut read = vec![0; 50_000];
    assert_eq!(pool.read(file, 0, &mut read), Ok(50_000));
    assert!(read.iter().all(|&byte| byte == 7));
}

/// A pool with chunks larger than a portable one's was mounted with too little memory to read a part of a
/// chunk, and its reads and writes failed for that.
#[test]
fn a_pool_of_any_chunk_works_with_the_memory_that_it_asks_for() {
    const SECTORS: u64 = 8192;
    for chunk in [512, 2048, 8192, 16384] {
        let options = FormatOptions::portable(Scheme::SINGLE).chunk_bytes(chunk).extent_bytes(65_536);
        let mut contents = vec![0; SECTORS as usize * 512];
        let mut lent = plenty();
        let made = Pool::format(one(&mut contents), lent.lend(), SERVICES, &mut Known(0), &options, &[]);
        let mut pool = made.map_err(FormatError::from).expect("formatted");
        let mut transaction = pool.begin().expect("begun");
        let file = transaction.write_file(b"file", &[7; 40_000]).expect("written");
        transaction.commit().expect("committed");
        let parameters = *pool.parameters();
        drop(pool);

        let needs = Memory::needs(&parameters, 1, 1);
        let mut least = Lent::least(&needs);
        let mounted = Pool::mount(one(&mut contents), least.lend(), SERVICES, &MountOptions::default());
        let mut pool = mounted.map_err(MountError::from).expect("mounted");
        assert_eq!(pool.read(file, 100, &mut [0; 100]), Ok(100), "chunks of {chunk}");
        let mut transaction = pool.begin().expect("begun");
        assert_eq!(transaction.write(file, 10_000, &[8; 100]), Ok(100), "chunks of {chunk}");
        assert_eq!(transaction.truncate(file, 15_000), Ok(()), "chunks of {chunk}");
        transaction.commit().expect("committed");
        let mut report = CheckReport::default();
        pool.check_contents(&mut report, |finding| assert_eq!(finding, None)).expect("checked");
    }
}

/// Absurd sizes are refused by name; how much memory they would take is told without a panic.
#[test]
fn sizes_out_of_bounds_are_named() {
    let geometry = Geometry::new(512, 8192);
    let portable = FormatOptions::portable(Scheme::SINGLE);
    let absurd = [0, 1, 3, 256, 1 << 20, 1 << 31, u32::MAX];
    type Set = fn(FormatOptions, u32) -> FormatOptions;
    let sizes: [(&str, Set); 3] = [
        ("block size", FormatOptions::block_bytes),
        ("node size", FormatOptions::node_bytes),
        ("chunk size", FormatOptions::chunk_bytes),
    ];
    for (what, set, bytes) in sizes.into_iter().flat_map(|(what, set)| absurd.map(|bytes| (what, set, bytes)))
    {
        let options = set(portable, bytes);
        let _ = (options.memory(1, &geometry), options.memory_to_read(1, &geometry));
        let mut contents = vec![0; 4 << 20];
        let mut lent = plenty();
        let made = Pool::format(one(&mut contents), lent.lend(), SERVICES, &mut Known(0), &options, &[]);
        assert_eq!(made.map(drop).map_err(FormatError::from), Err(FormatError::Parameter(what)), "{bytes}");
    }
}
