//! The disks of a new pool: those that are to be made, and those that were given.

use super::Options;
use super::ground;
use super::layout::{self, WITNESS_BYTES, explain_open};
use super::unfinished::Remains;
use crate::host::devices::stable_path;
use crate::host::stand_in::StandIn;
use crate::output::failure::Failure;
use crate::pool::config::{DISKS, absolute, name_of};
use crate::pool::labels;
use crate::pool::occupied::{self, Occupant};
use dynamicfs_hal::{BlockDevice, Geometry};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

/// A disk of the new pool.
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    /// Its path as pool.toml has it.
    pub(super) listed: PathBuf,
    pub(super) name: String,
    /// Bytes of a file that is to be made.
    pub(super) make: Option<u64>,
    /// Bytes of a sector; a device says itself what its sectors are.
    pub(super) sector: Option<u32>,
    /// A file of a portable pool: the image of a disk that tears single sectors, whatever this machine's
    /// disks do.
    pub(super) is_image: bool,
    pub(super) occupant: Occupant,
    pub(super) witness: bool,
}

impl Wanted {
    /// All of them, in the order of their numbers.
    pub(super) fn all(folder: &Path, options: &Options, given: Vec<Given>) -> Result<Vec<Self>, Failure> {
        let smallest = [options.node_size, options.chunk].into_iter().flatten().min();
        // Sectors no larger than the smallest thing that is written.
        let sector = match options.portable {
            true => Some(512),
            false => smallest.filter(|&size| size < 4096).map(|size| size as u32),
        };
        let made = images(options).map(|(name, listed)| {
            let (make, occupant) = (options.disk_size, Occupant::Nothing);
            let (path, is_image, witness) = (folder.join(&listed), options.portable, false);
            Ok(Self { path, listed, name, make, sector, is_image, occupant, witness })
        });
        let given = given.into_iter().map(|Given { path, occupant, witness }| {
            let name = if witness { "witness".to_owned() } else { name_of(&path) };
            let listed = absolute(&stable_path(&path))?;
            let make = occupant.is_none().then_some(WITNESS_BYTES);
            let sector = sector.filter(|_| make.is_some() || path.is_file());
            let occupant = occupant.unwrap_or(Occupant::Nothing);
            let (path, is_image) = (folder.join(&listed), options.portable && sector.is_some());
            Ok(Self { path, listed, name, make, sector, is_image, occupant, witness })
        });
        made.chain(given).collect()
    }

    fn options(&self) -> FileDiskOptions {
        let options = FileDiskOptions::new();
        match self.sector {
            Some(sector) if self.is_image => options.like(Geometry::new(sector, 0)),
            Some(sector) => options.sector_bytes(sector),
            None => options,
        }
    }

    /// Opens it, made first if it is to be.
    pub(super) fn open(&self) -> Result<FileDisk, Failure> {
        let opened = match self.make {
            Some(bytes) => self.options().create(&self.path, bytes),
            None => self.options().open(&self.path),
        };
        opened.map_err(|error| explain_open(&error, &self.path))
    }

    /// A file in memory that is like it. Where opening the disk itself would be refused, so is this.
    pub(super) fn stand_in(&self) -> Result<FileDisk, Failure> {
        let (bytes, options) = match self.make {
            Some(bytes) => (bytes, self.options()),
            None => {
                layout::refuse_protected(&self.path)?;
                let disk = self.options().read_alone().open(&self.path);
                let geometry = disk.map_err(|error| explain_open(&error, &self.path))?.geometry();
                (geometry.bytes(), FileDiskOptions::new().like(geometry))
            }
        };
        let stand_in = StandIn::new(bytes)?;
        options.open(stand_in.path()).map_err(|error| explain_open(&error, &self.path))
    }
}

/// The names of the disks that are to be made, and their paths in the pool's folder.
pub(super) fn images(options: &Options) -> impl Iterator<Item = (String, PathBuf)> {
    (0..options.disks.unwrap_or(0)).map(|number| {
        let name = format!("disk-{number}");
        let path = Path::new(DISKS).join(format!("{name}.img"));
        (name, path)
    })
}

/// A disk that was given by its path.
pub(super) struct Given {
    pub(super) path: PathBuf,
    /// What is on it; `None` where there is nothing at the path, and a witness is to be made.
    occupant: Option<Occupant>,
    witness: bool,
}

impl Given {
    /// Looks at all of them, and refuses those that cannot be used: each before anything is written.
    pub(super) fn look(
        folder: &Path,
        options: &Options,
        remains: Option<&Remains>,
    ) -> Result<Vec<Self>, Failure> {
        let disks = options.disk.iter().map(|path| (path, false));
        let given: Vec<(&PathBuf, bool)> =
            disks.chain(options.witness.iter().map(|path| (path, true))).collect();
        let paths: Vec<&Path> = given.iter().map(|(path, _)| path.as_path()).collect();
        paths.iter().try_for_each(|path| occupied::refuse_unlistable(&absolute(path)?))?;
        occupied::refuse_shared(&paths)?;
        let is_left = |path: &Path| remains.is_some_and(|remains| remains.has(path));
        let look =
            |(path, witness): (&PathBuf, bool)| Self::look_at(path, witness, (options.force, is_left(path)));
        let given = given.into_iter().map(look).collect::<Result<Vec<Self>, _>>()?;
        let mut made = given.iter().filter(|given| given.occupant.is_none());
        made.try_for_each(|given| ground::refuse_witness(folder, options, &given.path))?;
        Ok(given)
    }

    fn look_at(path: &Path, witness: bool, (force, is_left): (bool, bool)) -> Result<Self, Failure> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && witness => {
                return Ok(Self { path: path.to_owned(), occupant: None, witness });
            }
            Err(source) => {
                return Err(explain_open(&OpenError::System { operation: "open", source }, path));
            }
            Ok(metadata) => match OpenError::not_a_disk(metadata.file_type()) {
                Some(error) => return Err(explain_open(&error, path)),
                None => occupied::refuse_busy(path)?,
            },
        }
        let occupant = Occupant::of(path)?;
        if let (Occupant::Newer(fault), false) = (&occupant, force) {
            return Err(layout::in_use(path, &format!(" {}", labels::fault(*fault))));
        }
        // What an `init` that was killed wrote there is of no known kind.
        let is_own = is_left && matches!(occupant, Occupant::Data);
        occupant.refuse_foreign(path, force || is_own)?;
        Ok(Self { path: path.to_owned(), occupant: Some(occupant), witness })
    }
}
