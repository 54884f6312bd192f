//! A process that writes until it is killed, and the one that kills it.

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::size;
use crate::output::stream;
use crate::pool::open::{Access, with_pool};
use crate::pool::session::Session;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of each file.
const FILE_BYTES: usize = 300_000;

/// Files that are acknowledged before the writer is killed.
const ACKNOWLEDGED: u64 = 10;

/// The directory that the files are in.
const DIRECTORY: &[u8] = b"crash";

/// Contents that no two files share.
pub(super) fn contents(file: u64, bytes: usize) -> Vec<u8> {
    let words = (0..bytes.div_ceil(8) as u64)
        .flat_map(|word| crate::host::random::mix(file << 32 ^ word).to_le_bytes());
    words.take(bytes).collect()
}

/// Writes one file after the other, each in a transaction of its own, and says which are durable.
pub(super) fn run(app: &App) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let directory = match session.pool.lookup(ObjectId::ROOT, DIRECTORY) {
            Ok(target) => target.object,
            Err(_) => session.change(|contents| {
                Ok(contents.create(
                    ObjectId::ROOT,
                    DIRECTORY,
                    &MakeRequest::Directory,
                    &Attributes::default(),
                )?)
            })?,
        };
        for file in session.pool.inode(directory)?.size.. {
            let bytes = contents(file, FILE_BYTES);
            session.change(|contents| {
                let name = file.to_string();
                let object = contents.create(
                    directory,
                    name.as_bytes(),
                    &MakeRequest::File,
                    &Attributes::default(),
                )?;
                Ok(contents.write_all(object, 0, &bytes)?)
            })?;
            stream::write(format!("{file}\n").as_bytes())?;
        }
        Ok(Exit::Done)
    })
}

/// Starts a writer, kills it in the middle of its work and looks at what is there; several times.
pub(super) fn crash(app: &App, pool: &Path, times: u32, say: &mut Vec<String>) -> Result<(), Failure> {
    let mut already = 0;
    for round in 0..times {
        let acknowledged = kill_writer(pool, round)?;
        let started = Instant::now();
        let (opened, there) =
            with_pool(app, Access::Write, |session| Ok((started.elapsed(), count(session)?)))?;
        if there < acknowledged {
            return Err(Failure::new(
                Code::Damaged,
                format!("{acknowledged} files were acknowledged, {there} are there"),
            ));
        }
        let last = if there > acknowledged {
            "the one in flight is there, whole"
        } else {
            "the one in flight is absent"
        };
        say.push(format!(
            "killed -9 after {}: all are there, {last}; opened again in {}",
            size::count(acknowledged - already, "acknowledged commit"),
            size::duration(opened)
        ));
        already = there;
    }
    Ok(())
}

/// Kills a writer some time after it has written some files; how many files it has acknowledged in all.
fn kill_writer(pool: &Path, round: u32) -> Result<u64, Failure> {
    let refused = |error| Failure::host("start a writer", &error);
    let program = std::env::current_exe().map_err(refused)?;
    let mut child = Command::new(program)
        .args(["demo", "--writer", "--quiet", "--pool"])
        .arg(pool)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    let acknowledged = child.stdout.take().map(|stdout| kill_later(&mut child, stdout, round));
    // Reaps it; killing what is dead already does nothing.
    let _ = child.kill();
    let ended = child.wait();
    match (acknowledged, ended) {
        (Some(Some(acknowledged)), Ok(status)) if !status.success() => Ok(acknowledged),
        _ => Err(Failure::new(Code::Host, "the writer ended before it was killed")),
    }
}

fn kill_later(child: &mut Child, stdout: ChildStdout, round: u32) -> Option<u64> {
    let mut files = None;
    let mut seen = 0;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        files = line.parse::<u64>().ok().or(files);
        seen += 1;
        if seen == ACKNOWLEDGED {
            // Each time at another moment of what comes next.
            std::thread::sleep(Duration::from_micros(u64::from(round) * 2700 + 900));
            let _ = child.kill();
        }
    }
    files.map(|file| file + 1)
}

/// How many files are there, all of them whole.
fn count(session: &mut Session<'_>) -> Result<u64, Failure> {
    let directory = session.pool.lookup(ObjectId::ROOT, DIRECTORY)?.object;
    let mut read = vec![0; FILE_BYTES + 1];
    for file in 0.. {
        let object = match session.pool.lookup(directory, file.to_string().as_bytes()) {
            Err(Error::NotFound) => return Ok(file),
            found => found?.object,
        };
        let bytes = session.pool.read(object, 0, &mut read)?;
        if read[..bytes] != contents(file, FILE_BYTES) {
            return Err(Failure::new(Code::Damaged, format!("file {file} is there and not whole")));
        }
    }
    Ok(0)
}
