//! Pools in which something is about to happen that an empty one would not come to in a few operations.

use crate::SimArray;
use crate::model::{self, Model};
use crate::workload::Operation;
use crate::world::{Lent, SERVICES};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::types::{ObjectId, Row};
use dynamicfs_core::{MountOptions, Pool};
use dynamicfs_hal::Geometry;

/// What a pool is like in the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// It was formatted, and holds nothing.
    #[default]
    Empty,
    /// It is full: the last write found no space.
    Full,
    /// A sweep is due with the next commit.
    Sweep,
    /// A sweep that stopped in the middle of a disk ends with the next commit. The disks have more groups
    /// than one window covers.
    Windows,
}

impl Start {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Full, Self::Sweep, Self::Windows];

    /// Its name in arguments and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Full => "full",
            Self::Sweep => "sweep",
            Self::Windows => "windows",
        }
    }

    /// A disk that a pool needs to come to this, in the place of a small one.
    pub(crate) fn disk(self, small: Geometry) -> Geometry {
        match self {
            Self::Windows => Geometry { sectors: (32 << 20) / u64::from(small.sector_bytes), ..small },
            _ => small,
        }
    }

    /// How many bytes each write has on the way there.
    const fn write_bytes(self) -> usize {
        match self {
            Self::Windows => 32 << 10,
            _ => 4096,
        }
    }
}

/// Commits after which a pool should be as it is to be.
const COMMITS_MAX: usize = 10_000;

/// Brings a pool that was just formatted into this state: what it holds then.
pub(crate) fn prepare(world: &mut SimArray, lent: &mut Lent, start: Start) -> Result<Model, String> {
    let mut model = Model::default();
    if start == Start::Empty {
        return Ok(model);
    }
    let file = make(world, lent, &mut model)?;
    for number in 0..COMMITS_MAX {
        let (before, held) = (world.clone(), model.clone());
        let object = ObjectId(file);
        let operation = match start {
            // It grows, piece by piece.
            Start::Full => {
                Operation::Write { object, offset: number as u64 * 4096, data: vec![number as u8; 4096] }
            }
            _ => Operation::Write {
                object,
                offset: (number % 3) as u64 * 4096,
                data: vec![3; start.write_bytes()],
            },
        };
        let records = |pool: &Pool<'_, &mut SimArray>| pool.internals().store.committed().dead_records();
        let mut pool = mount(world, lent)?;
        let (dead, is_between) = (records(&pool), is_between_windows(&pool));
        let is_swept = |pool: &Pool<'_, &mut SimArray>| match start {
            Start::Sweep => records(pool) < dead,
            Start::Windows => records(pool) < dead && is_between,
            _ => false,
        };
        match change(&mut pool, &mut model, &operation) {
            Ok(()) if is_swept(&pool) => {
                *world = before;
                return Ok(held);
            }
            Ok(()) => {}
            Err(Error::Storage(StorageError::NoSpace)) if start == Start::Full => {
                *world = before;
                return Ok(held);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("{COMMITS_MAX} commits, and it is not {}", start.name()))
}

/// Whether a sweep stands in the middle of a disk, with more groups to come that were in use.
fn is_between_windows(pool: &Pool<'_, &mut SimArray>) -> bool {
    let superblock = pool.internals().store.committed();
    let (row, group) = (Row(superblock.sweep_row().into()), superblock.sweep_group());
    group > 0 && superblock.row(row).data_group() > group + 2
}

fn mount<'w>(world: &'w mut SimArray, lent: &'w mut Lent) -> Result<Pool<'w, &'w mut SimArray>, String> {
    Pool::mount(world, lent.lend(), SERVICES, &MountOptions::default()).map_err(|error| error.to_string())
}

/// A file under the name that the alphabet knows, and a second one: its number.
fn make(world: &mut SimArray, lent: &mut Lent, model: &mut Model) -> Result<u64, String> {
    let mut pool = mount(world, lent)?;
    for name in [b"a", b"z"] {
        let operation = Operation::Create { directory: ObjectId::ROOT, name: name.to_vec() };
        change(&mut pool, model, &operation).map_err(|error| error.to_string())?;
    }
    model.nodes.keys().copied().find(|&object| object >= ObjectId::FIRST_USER.0).ok_or("no file".into())
}

/// One operation in a commit of its own.
fn change(pool: &mut Pool<'_, &mut SimArray>, model: &mut Model, operation: &Operation) -> Result<(), Error> {
    let mut transaction = pool.begin()?;
    let made = model::apply(&mut transaction, operation)?;
    transaction.commit()?;
    model.apply(operation, made).map(|_| ())
}
