//! What files contain, in so few bytes that it can be compared.

use crate::host::interrupt;
use crate::output::failure::{Code, Failure};
use crate::output::names;
use crate::output::names::ShowPath;
use crate::output::size;
use crate::pool::path::{self, PoolPath};
use crate::pool::session::Session;
use crate::pool::tree::{Visit, walk};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::files::ObjectKind;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;
use walkdir::WalkDir;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// The SHA-256 of each file below something, by its path there.
#[derive(Debug)]
pub(super) struct Digest {
    files: BTreeMap<Vec<u8>, [u8; 32]>,
    pub(super) bytes: u64,
    took: f64,
}

/// A folder that could not be walked. The error's own text would show the path as it is.
fn unwalked(error: &walkdir::Error) -> Failure {
    let path = error.path().unwrap_or(Path::new("a folder")).shown();
    match error.io_error() {
        Some(cause) => Failure::host(format_args!("read {path}"), cause),
        None => Failure::new(Code::Host, format!("{path} leads round in a circle")),
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Digest {
    /// Files of this machine.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut digest = Self { files: BTreeMap::new(), bytes: 0, took: 0.0 };
        let mut buffer = vec![0; PIECE];
        for entry in WalkDir::new(folder) {
            let entry = entry.map_err(|error| unwalked(&error))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let refused = |error| Failure::host(format_args!("read {}", entry.path().shown()), &error);
            let mut file = File::open(entry.path()).map_err(refused)?;
            let mut hash = Sha256::new();
            loop {
                interrupt::check()?;
                let bytes = file.read(&mut buffer).map_err(refused)?;
                if bytes == 0 {
                    break;
                }
                hash.update(&buffer[..bytes]);
                digest.bytes += bytes as u64;
            }
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            digest.files.insert(below.as_os_str().as_bytes().to_vec(), hash.finalize().into());
        }
        digest.took = started.elapsed().as_secs_f64();
        Ok(digest)
    }

    /// Files of the pool. What reading finds damaged is rewritten, if the pool can be written to.
    pub(super) fn of_pool(session: &mut Session<'_>, top: &PoolPath) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut digest = Self { files: BTreeMap::new(), bytes: 0, took: 0.0 };
        let mut buffer = vec![0; PIECE];
        let node = path::find(&mut session.pool, top, false)?;
        walk(&mut session.pool, top, node, &mut |contents, visit| {
            let (path, node) = match visit {
                Visit::Enter(path, node) if node.inode.kind == ObjectKind::File => (path, node),
                Visit::Failed(_, failure) => return Err(failure),
                _ => return Ok(true),
            };
            let mut hash = Sha256::new();
            let mut at = 0;
            loop {
                let bytes = contents
                    .read(node.object, at, &mut buffer)
                    .map_err(|error| Failure::object(error, path))?;
                if bytes == 0 {
                    break;
                }
                hash.update(&buffer[..bytes]);
                at += bytes as u64;
                if contents.health().writable {
                    while contents.maintain(false)? == dynamicfs_core::maintenance::Work::Repaired {}
                }
            }
            digest.bytes += at;
            let below = path.as_bytes().get(top.as_bytes().len()..).unwrap_or_default();
            digest.files.insert(below.strip_prefix(b"/").unwrap_or(below).to_vec(), hash.finalize().into());
            Ok(true)
        })?;
        digest.took = started.elapsed().as_secs_f64();
        Ok(digest)
    }

    pub(super) fn files(&self) -> u64 {
        self.files.len() as u64
    }

    /// Fails if what was read is not this, and says that it is.
    pub(super) fn compare(&self, read: &Self, say: &mut Vec<String>) -> Result<(), Failure> {
        if let Some((name, _)) = self.files.iter().find(|(name, hash)| read.files.get(*name) != Some(hash)) {
            return Err(Failure::new(
                Code::Damaged,
                format!("{} was read back with other contents", names::show(name)),
            ));
        }
        let files = size::count(read.files(), "file");
        let took = size::duration(std::time::Duration::from_secs_f64(read.took));
        say.push(format!(
            "{files}, {} read in {took}, every SHA-256 right: {}",
            size::show(read.bytes, false),
            self.short()
        ));
        Ok(())
    }

    /// The beginning of the hash of all hashes.
    fn short(&self) -> String {
        let mut hash = Sha256::new();
        for (name, file) in &self.files {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
            hash.update(file);
        }
        let all: [u8; 32] = hash.finalize().into();
        all[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
