//! An SD card at the other end of an SPI bus, byte by byte, that programs as long as it is busy.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{ErrorType, Operation, SpiDevice};
use embedded_sdmmc::embedded_sdmmc_types::sdcard::{crc7, crc16};

const BLOCK: usize = 512;

/// Bytes of the bus for which the card programs what it was sent.
const PROGRAM_BYTES: u32 = 200;

/// Bytes of the flash page that a cut damages.
const PAGE: usize = 4096;

/// What the card does with the next bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for a command.
    Idle,
    /// Sends blocks from this one on until it is stopped.
    Sends(u32),
    /// Waits for the token of this block; of several or of one.
    Awaits(u32, bool),
    /// Takes the bytes of this block.
    Takes(u32, bool),
}

/// A high-capacity card of 1024 blocks.
pub(crate) struct Card {
    flash: Vec<u8>,
    phase: Phase,
    command: Vec<u8>,
    /// The next command is one of the application set.
    escaped: bool,
    answer: VecDeque<u8>,
    data: Vec<u8>,
    /// What is being programmed.
    programming: Vec<(u32, Vec<u8>)>,
    busy: u32,
    /// It begins to be busy a byte after the stop token, as the specification allows.
    lags: bool,
    /// Bytes until the power goes; off at zero.
    left: Option<u32>,
    /// Commands that wrote, in their order.
    pub(crate) write_commands: Vec<u8>,
    random: u64,
}

impl Card {
    pub(crate) const BLOCKS: u32 = 1024;

    pub(crate) fn new(lags: bool) -> Self {
        Self {
            lags,
            flash: vec![0; Self::BLOCKS as usize * BLOCK],
            phase: Phase::Idle,
            command: Vec::new(),
            escaped: false,
            answer: VecDeque::new(),
            data: Vec::new(),
            programming: Vec::new(),
            busy: 0,
            left: None,
            write_commands: Vec::new(),
            random: 1,
        }
    }

    pub(crate) const fn is_busy(&self) -> bool {
        self.busy > 0
    }

    /// The power goes after so many bytes of the bus.
    pub(crate) const fn go_after(&mut self, bytes: u32) {
        self.left = Some(bytes);
    }

    /// The power goes, if it has not, and comes back: what was being programmed is lost, and its pages may be
    /// damaged.
    pub(crate) fn power_cycle(&mut self) {
        for (block, _) in std::mem::take(&mut self.programming) {
            let page = block as usize * BLOCK / PAGE * PAGE;
            for sector in self.flash[page..page + PAGE].chunks_mut(BLOCK) {
                self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1);
                if self.random >> 62 == 0 {
                    sector[40..60].fill(0xee);
                }
            }
        }
        let (flash, random) = (std::mem::take(&mut self.flash), self.random);
        *self = Self { flash, random, ..Self::new(self.lags) };
    }

    /// One byte each way.
    fn exchange(&mut self, byte: u8) -> u8 {
        match &mut self.left {
            Some(0) => return 0xff,
            Some(left) => *left -= 1,
            None => {}
        }
        // It sends ahead until it is stopped, and nothing behind its end.
        if let (Phase::Sends(block), true) = (self.phase, self.answer.is_empty())
            && block < Self::BLOCKS
        {
            let data = self.block(block).to_vec();
            self.send_data(&data);
            self.phase = Phase::Sends(block + 1);
        }
        let answer = match self.answer.pop_front() {
            Some(answer) => answer,
            None if self.busy > 0 => {
                self.busy -= 1;
                if self.busy == 0 {
                    self.program();
                }
                0
            }
            None => 0xff,
        };
        self.take(byte);
        answer
    }

    fn block(&self, block: u32) -> &[u8] {
        &self.flash[block as usize * BLOCK..][..BLOCK]
    }

    fn program(&mut self) {
        for (block, data) in std::mem::take(&mut self.programming) {
            self.flash[block as usize * BLOCK..][..BLOCK].copy_from_slice(&data);
        }
    }

    fn send_data(&mut self, data: &[u8]) {
        self.answer.extend([0xff, 0xfe]);
        self.answer.extend(data);
        self.answer.extend(crc16(data).to_be_bytes());
    }

    fn take(&mut self, byte: u8) {
        match self.phase {
            Phase::Awaits(block, several) if self.busy == 0 => match byte {
                0xfe if !several => self.phase = Phase::Takes(block, several),
                0xfc if several => self.phase = Phase::Takes(block, several),
                0xfd if several => {
                    self.phase = Phase::Idle;
                    if self.lags {
                        self.answer.push_back(0xff);
                    }
                    self.busy = PROGRAM_BYTES;
                }
                _ => {}
            },
            Phase::Takes(block, several) => {
                self.data.push(byte);
                if self.data.len() == BLOCK + 2 {
                    self.take_block(block, several);
                }
            }
            _ => self.take_command(byte),
        }
    }

    fn take_block(&mut self, block: u32, several: bool) {
        let data = std::mem::take(&mut self.data);
        let (data, crc) = data.split_at(BLOCK);
        assert_eq!(crc, crc16(data).to_be_bytes(), "the driver sends checksums");
        self.programming.push((block, data.to_vec()));
        self.answer.push_back(0x05);
        if several {
            self.phase = Phase::Awaits(block + 1, several);
        } else {
            self.phase = Phase::Idle;
            self.busy = PROGRAM_BYTES;
        }
    }

    fn take_command(&mut self, byte: u8) {
        if self.command.is_empty() && byte & 0xc0 != 0x40 {
            return;
        }
        self.command.push(byte);
        if self.command.len() < 6 {
            return;
        }
        let command = std::mem::take(&mut self.command);
        if self.busy > 0 {
            // The card takes none.
            return;
        }
        let argument = u32::from_be_bytes([command[1], command[2], command[3], command[4]]);
        let number = command[0] & 0x3f;
        let escaped = std::mem::take(&mut self.escaped);
        self.answer.clear();
        match (number, escaped) {
            (0 | 59, _) => self.answer.push_back(1),
            (8, _) => self.answer.extend([1, 0, 0, 1, 0xaa]),
            (55, _) => {
                self.escaped = true;
                self.answer.push_back(1);
            }
            (41 | 23, true) => self.answer.push_back(0),
            (58, _) => self.answer.extend([0, 0xc0, 0, 0, 0]),
            (13, _) => self.answer.extend([0, 0]),
            (9, _) => {
                self.answer.push_back(0);
                let csd = Self::csd();
                self.send_data(&csd);
            }
            (12, _) => {
                self.phase = Phase::Idle;
                self.answer.extend([0x7f, 0]);
            }
            (17 | 18 | 24 | 25, _) if argument >= Self::BLOCKS => self.answer.push_back(0x40),
            (17, _) => {
                self.answer.push_back(0);
                let data = self.block(argument).to_vec();
                self.send_data(&data);
            }
            (18, _) => {
                self.answer.push_back(0);
                self.phase = Phase::Sends(argument);
            }
            (24 | 25, _) => {
                self.answer.push_back(0);
                self.write_commands.push(number);
                self.phase = Phase::Awaits(argument, number == 25);
            }
            _ => self.answer.push_back(4),
        }
    }

    /// A register of version 2 that says 1024 blocks.
    fn csd() -> [u8; 16] {
        let mut csd = [0x40, 0x0e, 0, 0x32, 0x5b, 0x59, 0, 0, 0, 0, 0x7f, 0x80, 0x0a, 0x40, 0, 0];
        csd[15] = crc7(&csd[..15]) << 1 | 1;
        csd
    }
}

/// The bus.
#[derive(Clone)]
pub(crate) struct Bus(pub(crate) Rc<RefCell<Card>>);

impl ErrorType for Bus {
    type Error = Infallible;
}

impl SpiDevice for Bus {
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        let mut card = self.0.borrow_mut();
        for operation in operations {
            match operation {
                Operation::Read(bytes) => bytes.fill_with(|| card.exchange(0xff)),
                Operation::Write(bytes) => bytes.iter().for_each(|byte| _ = card.exchange(*byte)),
                Operation::TransferInPlace(bytes) => {
                    bytes.iter_mut().for_each(|byte| *byte = card.exchange(*byte))
                }
                Operation::Transfer(read, write) => {
                    for at in 0..read.len().max(write.len()) {
                        let answer = card.exchange(write.get(at).copied().unwrap_or(0xff));
                        if let Some(byte) = read.get_mut(at) {
                            *byte = answer;
                        }
                    }
                }
                Operation::DelayNs(_) => {}
            }
        }
        Ok(())
    }
}

/// Time that passes at once: what the driver waits for is the bus.
pub(crate) struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}
