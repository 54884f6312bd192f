//! What a board has logged through `defmt`: numbers and values, whose words are in the program that said
//! them.

use crate::program;
use defmt_decoder::{DecodeError, Table};
use std::path::Path;

/// Names the firmware that logs.
pub(crate) const LOGGING: &str = "FIRMWARE_LOGGING";

/// The lines that are in a file of frames: a level and words each.
pub fn decode(frames: &Path) -> Vec<String> {
    let elf = std::fs::read(program(LOGGING)).expect("the firmware");
    let table = Table::parse(&elf).expect("a program of this defmt").expect("it logs");
    let mut decoder = table.new_stream_decoder();
    decoder.received(&std::fs::read(frames).expect("frames"));
    let next = || match decoder.decode() {
        Ok(frame) => {
            let level = frame.level().map_or("", |level| level.as_str()).to_uppercase();
            Some(format!("{level} {}", frame.display_message()))
        }
        Err(DecodeError::UnexpectedEof) => None,
        Err(DecodeError::Malformed) => panic!("a malformed frame in {}", frames.display()),
    };
    std::iter::from_fn(next).collect()
}
