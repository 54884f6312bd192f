//! Lines of the `log` crate over the serial line, between the answers.

use crate::board;
use core::fmt::{self, Write};
use log::{LevelFilter, Log, Metadata, Record};

struct Logger;

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(board::send);
        Ok(())
    }
}

impl Log for Logger {
    /// The core's: the virtio driver logs as well.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("dynamicfs_core")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let _ = writeln!(Serial, "log {} {}", record.level(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Logs from now on.
pub(crate) fn start() {
    // There is no other.
    let _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Debug);
}
