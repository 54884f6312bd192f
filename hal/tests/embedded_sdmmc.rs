//! The adapter over `embedded-sdmmc`: a disk in memory, and the crate's own driver of a card on an SPI bus.

mod card;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use card::{Bus, Card, NoDelay};
use dynamicfs_hal::adapter::{OpenError, SdmmcDisk};
use dynamicfs_hal::conformance::{
    Checked, Cuts, Finding, Plan, PowerSwitch, Step, destroy_and_check, destroy_and_cut,
};
use dynamicfs_hal::{BlockDevice, DeviceError, GeometryError, IoError};
use embedded_sdmmc::{Block, BlockCount, BlockDevice as Foreign, BlockIdx, SdCard, SdCardError};

// --- a disk in memory --------------------------------------------------------------------------------------

/// What the disk in memory answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RamError {
    Pulled,
    Worn,
}

impl std::fmt::Display for RamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for RamError {}

struct Ram {
    blocks: RefCell<Vec<Block>>,
    error: Cell<Option<RamError>>,
    longest: Cell<usize>,
}

impl Ram {
    fn new(blocks: usize) -> Self {
        Self { blocks: vec![Block::new(); blocks].into(), error: Cell::new(None), longest: Cell::new(0) }
    }

    fn begin(&self, blocks: usize) -> Result<(), RamError> {
        self.longest.set(self.longest.get().max(blocks));
        self.error.get().map_or(Ok(()), Err)
    }
}

impl Foreign for Ram {
    type Error = RamError;

    fn read(&self, blocks: &mut [Block], start: BlockIdx) -> Result<(), RamError> {
        self.begin(blocks.len())?;
        blocks.clone_from_slice(&self.blocks.borrow()[start.0 as usize..][..blocks.len()]);
        Ok(())
    }

    fn write(&self, blocks: &[Block], start: BlockIdx) -> Result<(), RamError> {
        self.begin(blocks.len())?;
        self.blocks.borrow_mut()[start.0 as usize..][..blocks.len()].clone_from_slice(blocks);
        Ok(())
    }

    fn num_blocks(&self) -> Result<BlockCount, RamError> {
        self.begin(0)?;
        Ok(BlockCount(self.blocks.borrow().len() as u32))
    }
}

fn blocks<const N: usize>() -> [Block; N] {
    std::array::from_fn(|_| Block::new())
}

#[test]
fn passes_the_kit_and_keeps_to_the_lent_blocks() {
    for seed in 0..3 {
        let mut disk = SdmmcDisk::new(Ram::new(100), blocks::<3>(), 16384).unwrap();
        assert!(destroy_and_check(&mut disk, &mut [0; 16 << 10], &Plan::new(seed)).unwrap().whole_capacity);
        assert_eq!(disk.into_inner().longest.get(), 3);
    }
    let mut lent = blocks::<8>();
    let mut disk = SdmmcDisk::new(Ram::new(100), &mut lent[..], 512).unwrap();
    destroy_and_check(&mut disk, &mut [0; 16 << 10], &Plan::new(1)).unwrap();
}

#[test]
fn the_geometry_is_what_a_card_is() {
    let geometry = SdmmcDisk::new(Ram::new(100), blocks::<1>(), 16384).unwrap().geometry();
    assert_eq!((geometry.sector_bytes, geometry.sectors, geometry.tear_unit), (512, 100, 16384));
    assert!(geometry.volatile_cache && !geometry.discard);
    assert_eq!(geometry.buffer_alignment, 1);
}

#[test]
fn what_cannot_be_a_disk_is_refused() {
    let odd = SdmmcDisk::new(Ram::new(100), blocks::<1>(), 3000);
    assert!(matches!(odd, Err(OpenError::Geometry(GeometryError::TearUnit))));
    assert!(matches!(SdmmcDisk::new(Ram::new(100), blocks::<0>(), 512), Err(OpenError::NoMemory)));
    let ram = Ram::new(100);
    ram.error.set(Some(RamError::Pulled));
    assert!(matches!(SdmmcDisk::new(ram, blocks::<1>(), 512), Err(OpenError::Device(RamError::Pulled))));
}

#[test]
fn errors_have_the_kind_that_the_integrator_gives_them() {
    let ram = Ram::new(100);
    let kind = |error: &RamError| match error {
        RamError::Pulled => IoError::Gone,
        RamError::Worn => IoError::Media,
    };
    let mut disk = SdmmcDisk::new(&ram, blocks::<1>(), 512).unwrap().with_error_kind(kind);
    for (error, kind) in [(RamError::Pulled, IoError::Gone), (RamError::Worn, IoError::Media)] {
        ram.error.set(Some(error));
        assert_eq!(disk.read(0, &mut [0; 512]).unwrap_err().kind(), kind);
        assert_eq!(disk.write(0, &[0; 512]).unwrap_err().kind(), kind);
        assert_eq!(disk.flush().unwrap_err().kind(), kind);
        assert_eq!(disk.write_durable(0, &[0; 512]).unwrap_err().kind(), kind);
    }
    let mut plain = SdmmcDisk::new(Ram::new(8), blocks::<1>(), 512).unwrap();
    assert_eq!(plain.read(8, &mut [0; 512]).unwrap_err().kind(), IoError::OutOfBounds);
    assert_eq!(plain.write(0, &[0; 100]).unwrap_err().kind(), IoError::NotAligned);
}

impl Foreign for &Ram {
    type Error = RamError;

    fn read(&self, blocks: &mut [Block], start: BlockIdx) -> Result<(), RamError> {
        (**self).read(blocks, start)
    }
    fn write(&self, blocks: &[Block], start: BlockIdx) -> Result<(), RamError> {
        (**self).write(blocks, start)
    }
    fn num_blocks(&self) -> Result<BlockCount, RamError> {
        (**self).num_blocks()
    }
}

// --- the crate's driver, a card on a bus -------------------------------------------------------------------

type CardDisk = SdmmcDisk<SdCard<Bus, NoDelay>, [Block; 8]>;

fn card(lags: bool) -> Rc<RefCell<Card>> {
    Rc::new(RefCell::new(Card::new(lags)))
}

fn open(card: &Rc<RefCell<Card>>, tear_unit: u32) -> CardDisk {
    let kind = |error: &SdCardError| match error {
        SdCardError::CardNotFound => IoError::Gone,
        SdCardError::TimeoutCommand(_) => IoError::Timeout,
        _ => IoError::Media,
    };
    let driver = SdCard::new(Bus(card.clone()), NoDelay);
    SdmmcDisk::new(driver, blocks(), tear_unit).expect("a card").with_error_kind(kind)
}

fn check(disk: &mut CardDisk) -> Result<Checked, Finding> {
    destroy_and_check(disk, &mut [0; 8 << 10], &Plan { steps: 50, ..Plan::new(1) })
}

#[test]
fn a_card_passes_the_kit() {
    for lags in [false, true] {
        let card = card(lags);
        assert!(check(&mut open(&card, 4096)).unwrap().whole_capacity);
        assert!(card.borrow().write_commands.iter().all(|command| *command == 24), "single blocks");
    }
}

#[test]
fn multi_block_writes_of_this_driver_depend_on_the_card() {
    let prompt = card(false);
    assert!(check(&mut open(&prompt, 4096).with_multi_block_writes()).unwrap().whole_capacity);
    assert!(prompt.borrow().write_commands.contains(&25));
    // The kit finds those for which they are wrong.
    let finding = check(&mut open(&card(true), 4096).with_multi_block_writes());
    assert!(matches!(finding, Err(Finding::Failed { step: Step::Read, .. })), "{finding:?}");
}

#[test]
fn a_write_of_one_block_returns_when_the_card_has_programmed() {
    let card = card(true);
    open(&card, 4096).write(16, &[7; 8 * 512]).unwrap();
    assert!(!card.borrow().is_busy());
}

#[test]
fn a_flush_waits_until_the_card_has_programmed() {
    let written = |flushes: bool| {
        let card = card(false);
        let mut disk = open(&card, 4096).with_multi_block_writes();
        disk.write(16, &[7; 8 * 512]).unwrap();
        assert!(card.borrow().is_busy(), "a write of several blocks returns while the card programs");
        if flushes {
            disk.flush().unwrap();
            assert!(!card.borrow().is_busy());
        }
        card.borrow_mut().power_cycle();
        let mut buf = [0; 8 * 512];
        open(&card, 4096).read(16, &mut buf).unwrap();
        buf == [7; 8 * 512]
    };
    assert!(written(true));
    assert!(!written(false), "the card has lost what it was programming");
}

/// A card whose supply is switched.
struct Board {
    card: Rc<RefCell<Card>>,
    disk: CardDisk,
    reopen: fn(&Rc<RefCell<Card>>) -> CardDisk,
}

impl PowerSwitch for Board {
    type Device = CardDisk;

    fn device(&mut self) -> &mut CardDisk {
        &mut self.disk
    }

    fn arm(&mut self, draw: u32) -> bool {
        self.card.borrow_mut().go_after(1 + draw % 50_000);
        true
    }

    fn cut(&mut self) -> Result<(), IoError> {
        self.card.borrow_mut().power_cycle();
        self.disk = (self.reopen)(&self.card);
        Ok(())
    }
}

fn cut(lags: bool, reopen: fn(&Rc<RefCell<Card>>) -> CardDisk) -> Result<Cuts, Finding> {
    let card = card(lags);
    let mut board = Board { card: card.clone(), disk: reopen(&card), reopen };
    destroy_and_cut(&mut board, &mut [0; 8 << 10], 1, 200)
}

#[test]
fn a_card_whose_power_is_cut_keeps_what_was_flushed() {
    for cuts in
        [cut(true, |card| open(card, 4096)), cut(false, |card| open(card, 4096).with_multi_block_writes())]
    {
        let cuts = cuts.unwrap_or_else(|finding| panic!("{finding}"));
        assert!(cuts.interrupted > 50 && cuts.torn > 20, "{cuts:?}");
    }
}

#[test]
fn a_page_that_is_larger_than_stated_is_found() {
    let finding = cut(true, |card| open(card, 512));
    assert!(matches!(finding, Err(Finding::TornBeyondUnit { stated: 512, .. })), "{finding:?}");
}
