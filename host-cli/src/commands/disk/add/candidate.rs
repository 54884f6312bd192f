//! A disk that is to become a member, looked at before anything is written.

use super::{AddedDisk, Options};
use crate::commands::init::layout::{self, explain_open};
use crate::host::devices::stable_path;
use crate::output::failure::{Code, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::pool::config::{Config, absolute, is_same, name_of};
use crate::pool::labels::Labels;
use crate::pool::occupied::{self, Occupant};
use crate::pool::own;
use dynamicfs_core::error::MemberError;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std_host_shim::{FileDiskOptions, OpenError};

/// A file or device that is to become a member.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// Its entry of pool.toml, where it is listed.
    known: Option<String>,
    /// It is listed as being added: an earlier command was cut short.
    begun: bool,
    /// What is there; `None` where a file is to be made.
    occupant: Option<Occupant>,
    /// Bytes that it has, or is to have.
    bytes: u64,
}

impl Candidate {
    /// Looks at all of them, and refuses those that cannot be used.
    pub(super) fn look_at_all(config: &Config, options: &Options) -> Result<Vec<Self>, Failure> {
        let paths: Vec<PathBuf> =
            options.paths.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
        paths.iter().try_for_each(|path| {
            occupied::refuse_unlistable(path)?;
            occupied::refuse_own_file(&config.folder, path)
        })?;
        for (number, path) in paths.iter().enumerate() {
            let others = config.disks.iter().map(|disk| config.path_of(disk));
            let others = others.filter(|other| !is_same(other, path)).chain(paths[..number].iter().cloned());
            for other in others {
                occupied::refuse_shared(&[&other, path])?;
            }
            if paths[..number].iter().any(|other| is_same(other, path)) {
                let message = format!("{} is named twice", path.shown());
                return Err(Failure::new(Code::InUse, message).hint("name each disk once"));
            }
        }
        paths.into_iter().map(|path| Self::look_at(config, path, options)).collect()
    }

    fn look_at(config: &Config, path: PathBuf, options: &Options) -> Result<Self, Failure> {
        let known = config.disks.iter().find(|disk| is_same(&config.path_of(disk), &path));
        let begun = known.is_some_and(|disk| disk.adding);
        let known = known.map(|disk| disk.name.clone());
        let missing = |bytes| Self { path: path.clone(), known: known.clone(), begun, occupant: None, bytes };
        match (fs::metadata(&path), options.size()) {
            (Err(error), Some(bytes)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(missing(bytes));
            }
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::new(Code::NotFound, format!("{} does not exist", path.shown()))
                    .hint("add --size SIZE to make a file there"));
            }
            (Err(source), _) => {
                return Err(explain_open(&OpenError::System { operation: "open", source }, &path));
            }
            // A command that was killed leaves a file so, which holds nothing.
            (Ok(metadata), Some(bytes)) if metadata.is_file() && metadata.len() == 0 => {
                return Ok(missing(bytes));
            }
            (Ok(metadata), None) if metadata.is_file() && metadata.len() == 0 => {
                return Err(Failure::new(Code::InvalidArgument, format!("{} is empty", path.shown()))
                    .hint("add --size SIZE to give it that size"));
            }
            (Ok(metadata), _) => match OpenError::not_a_disk(metadata.file_type()) {
                Some(error) => return Err(explain_open(&error, &path)),
                None => occupied::refuse_busy(&path)?,
            },
        }
        layout::refuse_protected(&path)?;
        let occupant = Occupant::of(&path)?;
        match &occupant {
            // Half of what it says may be from the command that was cut short.
            _ if begun => {}
            Occupant::Member(pool, disk) if pool.pool.to_string() == config.pool => {
                own::refuse(config, &path, disk, options.force)?;
            }
            Occupant::Member(..) | Occupant::Newer(_) if !options.force => {
                let what = occupant.words().unwrap_or_default();
                return Err(Failure::new(Code::InUse, format!("{} is {what}", path.shown()))
                    .hint(layout::look_at(&path)));
            }
            other => other.refuse_foreign(&path, options.force)?,
        }
        let bytes = Labels::read(&path).map_or(0, |labels| labels.bytes);
        Ok(Self { path, known, begun, occupant: Some(occupant), bytes })
    }

    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is no file yet, or an empty one.
    pub(super) const fn is_to_be_made(&self) -> bool {
        self.occupant.is_none()
    }

    /// Why it may not become a member.
    pub(super) fn refused(&self, error: MemberError) -> Failure {
        Failure::from(error).while_doing(self.path.shown())
    }

    /// What would become of it.
    pub(super) fn report(&self, name: String, options: &Options) -> AddedDisk {
        AddedDisk {
            name,
            path: self.path.as_path().into(),
            member: None,
            bytes: self.bytes,
            spare: options.spare,
            witness: options.witness,
            held: self.occupant.as_ref().and_then(Occupant::words),
            made: self.occupant.is_none(),
        }
    }

    /// Makes the file, where there is none.
    pub(super) fn make(&self, size: Option<u64>) -> Result<Option<Made>, Failure> {
        match (&self.occupant, size) {
            (None, Some(bytes)) => Made::new(&self.path, bytes).map(Some),
            _ => Ok(None),
        }
    }

    /// Lists it as being added; its name.
    pub(super) fn list(
        &self,
        config: &mut Config,
        replaces: Option<u16>,
        options: &Options,
    ) -> Result<String, Failure> {
        let path = config.shortened(absolute(&stable_path(&self.path))?);
        // Files are as those that the pool has; a device says itself what its sectors are.
        let is_file = self.occupant.is_none() || self.path.is_file();
        let sector = config.disks.iter().find_map(|disk| disk.sector).filter(|_| is_file);
        let known =
            self.known.as_ref().and_then(|name| config.disks.iter().position(|disk| disk.name == *name));
        let place = known.unwrap_or_else(|| config.list(&name_of(&self.path), path, sector));
        let entry = &mut config.disks[place];
        (entry.adding, entry.replaces, entry.witness) = (true, replaces, options.witness);
        entry.foreign = self.occupant.clone().map(Occupant::signatures).unwrap_or_default();
        Ok(entry.name.clone())
    }
}

/// A file that was made, and goes again unless it is kept, or has become a disk of a pool meanwhile.
pub(super) struct Made(PathBuf);

impl Made {
    fn new(path: &Path, bytes: u64) -> Result<Self, Failure> {
        let created = match path.exists() {
            // It is empty.
            true => File::options().write(true).open(path).and_then(|file| {
                file.set_len(bytes)?;
                file.sync_all()
            }),
            false => FileDiskOptions::new().create(path, bytes).map(drop).map_err(|error| match error {
                OpenError::System { source, .. } => source,
                error => io::Error::new(io::ErrorKind::InvalidInput, error.to_string()),
            }),
        };
        created.map_err(|error| Failure::host(format_args!("make {}", path.shown()), &error))?;
        let made = Self(path.to_owned());
        std_host_shim::sync_parent_directory(path)
            .map_err(|error| Failure::host(format_args!("flush {}", path.shown()), &error))?;
        Ok(made)
    }

    pub(super) fn is_at(&self, path: &ToldPath) -> bool {
        ToldPath::from(self.0.as_path()) == *path
    }

    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Another pool may have it by now, or be about to.
        let Ok(alone) = FileDiskOptions::new().open(&self.0) else { return };
        let is_used = Labels::read(&self.0).map_or(true, |labels| labels.identity().is_some());
        if !is_used {
            // It holds nothing; one that stays does no harm.
            let _ = fs::remove_file(&self.0);
        }
        drop(alone);
    }
}
