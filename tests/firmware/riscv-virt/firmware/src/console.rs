//! The serial line: orders come in and answers go out, a line each.

use crate::board;
use core::fmt::{self, Write};
use uart_16550::Uart16550;
use uart_16550::backend::MmioBackend;

/// The longest order.
const LINE_BYTES: usize = 64;

/// The serial line.
pub(crate) struct Console {
    uart: Uart16550<MmioBackend>,
    line: [u8; LINE_BYTES],
}

impl Console {
    /// Opens it.
    pub(crate) fn open() -> Option<Self> {
        Some(Self { uart: board::serial()?, line: [0; LINE_BYTES] })
    }

    /// Waits for a line; what is too long or no text is an empty one.
    pub(crate) fn read_line(&mut self) -> &str {
        let mut length = 0;
        loop {
            let Ok(byte) = self.uart.try_receive_byte() else { continue };
            if byte == b'\n' {
                break;
            }
            if let Some(place) = self.line.get_mut(length) {
                *place = byte;
            }
            length += 1;
        }
        self.line.get(..length).and_then(|line| core::str::from_utf8(line).ok()).unwrap_or_default()
    }
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.uart.send_bytes_exact(text.as_bytes());
        Ok(())
    }
}
