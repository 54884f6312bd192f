//! `benchmark`: what the pool does in a second, measured to durable.

use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::progress::{Progress, Unit};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::Text;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::PoolPath;
use crate::pool::session::Session;
use crate::pool::tree::children;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Bounds of what is measured: a file is written from memory, and all files together are counted in bytes.
const FILE_BYTES_MAX: u64 = 4 << 30;
const OPERATIONS_MAX: u64 = 1_000_000_000;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Size of each file
    #[arg(long, value_name = "SIZE", default_value = "1MiB", allow_hyphen_values = true,
        value_parser = size::within(1, FILE_BYTES_MAX))]
    file_size: u64,
    /// Files written, each in a commit of its own, and read
    #[arg(long, value_name = "N", default_value_t = 100, allow_negative_numbers = true,
        value_parser = size::whole(1, OPERATIONS_MAX))]
    operations: u64,
}

/// What was measured.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Benchmark {
    /// Bytes of each file.
    file_bytes: u64,
    /// Files written and read.
    operations: u64,
    /// Writing: each operation makes a file and commits it.
    write: Measured,
    /// Reading with nothing in the process's caches; the system may have the disks' contents in its own.
    read: Measured,
}

/// What one kind of operation does.
#[derive(Debug, Serialize, JsonSchema)]
struct Measured {
    /// Bytes in a second, in units of 10^6.
    megabytes_per_second: f64,
    /// Operations in a second.
    operations_per_second: f64,
    /// Seconds in all.
    seconds: f64,
    /// Half of the operations took so many seconds at most.
    median_seconds: f64,
    /// 99 of 100 operations took so many seconds at most.
    p99_seconds: f64,
}

impl Report for Benchmark {
    fn text(&self, text: &mut Text) {
        for (name, measured) in [("Write", &self.write), ("Read", &self.read)] {
            let Measured { megabytes_per_second, operations_per_second, .. } = measured;
            text.line(format_args!(
                "{name} Performance: {megabytes_per_second:.1} MB/s, {operations_per_second:.0} ops/sec"
            ));
        }
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    if app.global.dry_run {
        return Err(Failure::new(Code::Usage, "a benchmark that changes nothing measures nothing")
            .hint("leave --dry-run out"));
    }
    let name = format!(".benchmark-{}", std::process::id());
    let measured = with_pool(app, Access::Write, |session| {
        let directory = make_directory(session, name.as_bytes())?;
        let written = write(session, directory, options);
        // What is left is removed before the pool is, also after an interruption.
        if written.is_err() {
            remove(session, name.as_bytes())?;
        }
        written
    });
    let write = measured?;
    let read = with_pool(app, Access::Read, |session| read(session, name.as_bytes(), options));
    with_pool(app, Access::Write, |session| remove(session, name.as_bytes()))?;
    let report =
        Benchmark { file_bytes: options.file_size, operations: options.operations, write, read: read? };
    app.out.report(&report)?;
    Ok(Exit::Done)
}

fn make_directory(session: &mut Session<'_>, name: &[u8]) -> Result<ObjectId, Failure> {
    let attributes = Attributes::new().mode(0o700);
    session
        .change(|contents| Ok(contents.create(ObjectId::ROOT, name, &MakeRequest::Directory, &attributes)?))
}

/// Contents that no two files share.
fn fill(buffer: &mut [u8], file: u64) {
    for (number, word) in buffer.chunks_mut(8).enumerate() {
        let random = crate::host::random::mix(file << 32 | number as u64).to_le_bytes();
        word.copy_from_slice(&random[..word.len()]);
    }
}

fn buffer(options: &Options) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::new(Code::InvalidArgument, "--file-size is more than this machine's memory");
    let bytes = usize::try_from(options.file_size).map_err(|_| too_large())?;
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(bytes).map_err(|_| too_large())?;
    buffer.resize(bytes, 0);
    Ok(buffer)
}

fn write(session: &mut Session<'_>, directory: ObjectId, options: &Options) -> Result<Measured, Failure> {
    let mut buffer = buffer(options)?;
    let mut progress =
        Progress::new(&session.out, "writing", Unit::Bytes, Some(options.file_size * options.operations));
    let mut times = Vec::new();
    for file in 0..options.operations {
        interrupt::check()?;
        fill(&mut buffer, file);
        let began = Instant::now();
        session.change(|contents| {
            let name = file.to_string();
            let object =
                contents.create(directory, name.as_bytes(), &MakeRequest::File, &Attributes::default())?;
            Ok(contents.write_all(object, 0, &buffer)?)
        })?;
        times.push(began.elapsed());
        progress.advance(options.file_size);
    }
    Ok(Measured::new(times, options))
}

fn read(session: &mut Session<'_>, directory: &[u8], options: &Options) -> Result<Measured, Failure> {
    let (mut expected, mut found) = (buffer(options)?, buffer(options)?);
    let mut progress =
        Progress::new(&session.out, "reading", Unit::Bytes, Some(options.file_size * options.operations));
    let mut times = Vec::new();
    for file in 0..options.operations {
        interrupt::check()?;
        let began = Instant::now();
        let directory = session.pool.lookup(ObjectId::ROOT, directory)?.object;
        let object = session.pool.lookup(directory, file.to_string().as_bytes())?.object;
        session.pool.read(object, 0, &mut found)?;
        times.push(began.elapsed());
        fill(&mut expected, file);
        if found != expected {
            return Err(Failure::new(
                Code::Damaged,
                format!("file {file} was read with other contents than it was written with"),
            ));
        }
        progress.advance(options.file_size);
    }
    Ok(Measured::new(times, options))
}

/// Removes what the benchmark wrote.
fn remove(session: &mut Session<'_>, name: &[u8]) -> Result<(), Failure> {
    let directory = match session.pool.lookup(ObjectId::ROOT, name) {
        Err(Error::NotFound) => return Ok(()),
        found => found?.object,
    };
    let files = children(&mut session.pool, directory)?;
    for batch in files.chunks(super::transfer::BATCH_FILES as usize) {
        session.change(|contents| {
            batch.iter().try_for_each(|file| Ok(contents.unlink(directory, &file.name)?))
        })?;
    }
    let root = PoolPath::root();
    session.change(|contents| {
        contents.unlink(ObjectId::ROOT, name).map_err(|error| Failure::object(error, root.join(name)))
    })
}

impl Measured {
    fn new(mut times: Vec<Duration>, options: &Options) -> Self {
        let total: Duration = times.iter().sum();
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        let seconds = |percent| at(percent).map_or(0.0, Duration::as_secs_f64);
        Self {
            megabytes_per_second: size::megabytes_per_second(options.file_size * options.operations, total),
            operations_per_second: options.operations as f64 / total.as_secs_f64().max(1e-9),
            seconds: total.as_secs_f64(),
            median_seconds: seconds(50),
            p99_seconds: seconds(99),
        }
    }
}
