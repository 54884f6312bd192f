//! Standard output and standard error. A reader that takes nothing is waited for until this process is asked
//! to stop, and no longer.

use super::failure::Failure;
use crate::host::interrupt::{self, Ready};
use anstream::{AutoStream, ColorChoice, adapter};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

/// Bytes that a pipe takes without waiting when it says that it takes some (`PIPE_BUF` of Linux).
const PIPE_TAKES: usize = 4096;

/// Text for standard output, without styles where they are not wanted.
pub(crate) fn for_output(text: &str) -> Cow<'_, str> {
    styled(text, AutoStream::choice(&io::stdout()))
}

fn styled(text: &str, choice: ColorChoice) -> Cow<'_, str> {
    match choice {
        ColorChoice::Never => adapter::strip_str(text).to_string().into(),
        _ => text.into(),
    }
}

/// Writes to standard output; false where its reader went away: it has what it wanted.
pub(crate) fn write(bytes: &[u8]) -> Result<bool, Failure> {
    match write_all(&io::stdout(), bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(interrupt::interrupted()),
        Err(error) => Err(Failure::host("write to standard output", &error)),
    }
}

/// Says something on standard error. Where that cannot be said, there is nowhere to say so.
pub(crate) fn say(text: &str) {
    let text = styled(text, AutoStream::choice(&io::stderr()));
    let _ = write_all(&io::stderr(), text.as_bytes());
}

fn write_all(file: &impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    // A file on a disk makes nothing wait for long.
    let is_file = fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    let piece = if is_file { usize::MAX } else { PIPE_TAKES };
    while !bytes.is_empty() {
        if !is_file {
            interrupt::until_ready(file, Ready::ToWrite)?;
        }
        match rustix::io::write(file, &bytes[..bytes.len().min(piece)]) {
            Ok(written) => bytes = &bytes[written..],
            // Another process made the pipe one that does not wait.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
