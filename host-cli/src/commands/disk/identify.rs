//! `disk identify`: what is known of a disk, and reading from it in a rhythm, so that its light blinks.

use super::find::find;
use crate::app::App;
use crate::host::storage::open_to_look;
use crate::host::{devices, interrupt};
use crate::output::failure::{Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::open::{Access, with_pool};
use rustix::fs::Advice;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the light is on, and how long off.
const BEAT: Duration = Duration::from_millis(500);

/// How long at most: a day.
const SECONDS_MAX: u64 = 24 * 3600;

/// Bytes of a read.
const PIECE: u64 = 64 << 10;

/// Which disk.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its name, path, number or identity
    disk: String,
    /// How long its light blinks; 0 not at all
    #[arg(long, value_name = "N", default_value_t = 15, allow_negative_numbers = true,
        value_parser = size::whole(0, SECONDS_MAX))]
    seconds: u64,
}

/// What tells a disk from others.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Identified {
    /// What it is called.
    disk: String,
    /// Its number in the pool.
    member: Option<u16>,
    /// Its own identity, from its label.
    id: Option<String>,
    /// Where it is.
    path: String,
    /// The block device, where it is one, without links.
    device: Option<String>,
    /// The device's maker and model, where the system knows.
    model: Option<String>,
    /// The device's serial number or world-wide name, where the system knows.
    serial: Option<String>,
    /// Bytes that were read to make its light blink.
    read_bytes: u64,
    /// Seconds that it blinked.
    seconds: u64,
}

impl Report for Identified {
    fn text(&self, text: &mut Text) {
        text.field("disk", &self.disk);
        text.field("member", self.member.map_or_else(|| "-".into(), |member| member.to_string()));
        text.field("identity", self.id.as_deref().unwrap_or("-"));
        text.field("path", &self.path);
        match &self.device {
            Some(device) => {
                text.field("device", device);
                text.field("model", self.model.as_deref().unwrap_or("not known to the system"));
                text.field("serial", self.serial.as_deref().unwrap_or("not known to the system"));
            }
            None => text.field("device", "none: it is a file"),
        }
        text.field("blinked", format_args!("{} s, {} read", self.seconds, text.size(self.read_bytes)));
    }
}

pub(super) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    // The pool is let go of before the light blinks: others may use it meanwhile.
    let disk = with_pool(app, Access::Read, |session| Ok(find(session, &options.disk)?.disk))?;
    let path = disk.path.clone().ok_or_else(|| {
        let message = format!("the place of {} is unknown", disk.name);
        Failure::new(crate::output::failure::Code::NotFound, message).hint("pool.toml does not list it")
    })?;
    let refused = |error| Failure::host(format_args!("read {path}"), &error);
    let file = open_to_look(Path::new(&path)).map_err(refused)?;
    let is_device = file.metadata().map_err(refused)?.file_type().is_block_device();
    let real = Path::new(&path).canonicalize().map_err(refused)?;
    let seconds = if app.global.dry_run { 0 } else { options.seconds };
    let started = Instant::now();
    let read_bytes = blink(file, Duration::from_secs(seconds)).map_err(refused)?;
    let hardware = devices::hardware(Path::new(&path)).unwrap_or_default();
    app.out.report(&Identified {
        disk: disk.name,
        member: disk.member,
        id: disk.id,
        device: is_device.then(|| real.shown().to_string()),
        model: hardware.model,
        serial: hardware.serial,
        path,
        read_bytes,
        seconds: started.elapsed().as_secs(),
    })?;
    Ok(if interrupt::requested() { Exit::Interrupted } else { Exit::Done })
}

/// Reads for one beat and rests for one, from the disk and not from memory; bytes read.
fn blink(mut file: File, time: Duration) -> std::io::Result<u64> {
    let pieces = file.seek(SeekFrom::End(0))? / PIECE;
    let mut buffer = vec![0; PIECE as usize];
    let (started, mut read, mut piece) = (Instant::now(), 0, 0);
    while pieces > 0 && started.elapsed() < time && !interrupt::requested() {
        let beat = Instant::now();
        while beat.elapsed() < BEAT && !interrupt::requested() {
            let at = piece % pieces * PIECE;
            // What the system has in memory would not make a light blink.
            rustix::fs::fadvise(&file, at, std::num::NonZeroU64::new(PIECE), Advice::DontNeed)?;
            file.read_exact_at(&mut buffer, at)?;
            (read, piece) = (read + PIECE, piece + 1);
        }
        interrupt::wait(BEAT.min(time.saturating_sub(started.elapsed())));
    }
    Ok(read)
}
