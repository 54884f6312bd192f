//! What the board does when it is told.

use crate::apply::{apply, compare, read_sequence, write_sequence};
use crate::board::BoardClock;
use crate::console::Console;
use crate::disk::Disks;
use crate::entropy::BoardEntropy;
use crate::example::Space;
use crate::failure::Failure;
use core::fmt::Write as _;
use dynamicfs_core::maintenance::Work;
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, MountMode, MountOptions, Pool, Services, crc32c};
use workload::Tree;

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Make a pool of all disks.
    Format(Scheme),
    /// Do so many transactions, from the one on that follows the pool's last.
    Write(u32),
    /// Read everything and compare it with what the transactions up to the last one leave.
    Verify,
    /// Read everything as `Verify`, and write anew what is found bad.
    Mend,
    /// Make a pool as README.md's example does.
    Make,
    /// Add a line to the log of the pool as README.md's example does.
    Record,
    /// Switch the machine off.
    Halt,
}

impl Order {
    /// Reads an order as it is typed.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let order = match (words.next()?, words.next()) {
            ("format", Some(scheme)) => Self::Format(scheme.parse().ok()?),
            ("write", Some(count)) => Self::Write(count.parse().ok()?),
            ("verify", None) => Self::Verify,
            ("mend", None) => Self::Mend,
            ("make", None) => Self::Make,
            ("record", None) => Self::Record,
            ("halt", None) => Self::Halt,
            _ => return None,
        };
        words.next().is_none().then_some(order)
    }
}

/// The board's parts that a pool needs.
pub(crate) struct Machine {
    pub(crate) disks: Disks,
    pub(crate) entropy: BoardEntropy,
    pub(crate) space: Space,
}

const SERVICES: Services<'static> = Services::new(crc32c, &BoardClock);

impl Machine {
    pub(crate) fn new(disks: Disks, entropy: BoardEntropy) -> Self {
        Self { disks, entropy, space: Space::NEW }
    }

    /// Makes a pool.
    pub(crate) fn format(&mut self, scheme: Scheme, console: &mut Console) -> Result<(), Failure> {
        let _ = writeln!(console, "formatting {scheme}");
        let Self { disks, entropy, space } = self;
        let made =
            Pool::format(disks, space.lend(), SERVICES, entropy, &FormatOptions::portable(scheme), &[]);
        Ok(made.map(drop).map_err(|refused| refused.error)?)
    }

    /// Does so many transactions, and tells each when it is durable.
    pub(crate) fn write(&mut self, count: u32, console: &mut Console) -> Result<(), Failure> {
        let mut pool = self.mount(MountMode::ReadWrite)?;
        let mut tree = Tree::after(read_sequence(&mut pool)?);
        let _ = writeln!(console, "mounted {}", tree.sequence());
        for _ in 0..count {
            let mut transaction = pool.begin()?;
            tree.step(|change| apply(&mut transaction, change))?;
            write_sequence(&mut transaction, tree.sequence())?;
            transaction.commit()?;
            let _ = writeln!(console, "committed {}", tree.sequence());
        }
        Ok(())
    }

    /// Reads everything, and changes nothing.
    pub(crate) fn verify(&mut self, console: &mut Console) -> Result<(), Failure> {
        let mut pool = self.mount(MountMode::ReadOnly)?;
        let tree = Tree::after(read_sequence(&mut pool)?);
        let _ = writeln!(console, "mounted {}", tree.sequence());
        compare(&mut pool, &tree)
    }

    /// Reads everything, and writes anew what is found bad.
    pub(crate) fn mend(&mut self, console: &mut Console) -> Result<(), Failure> {
        let mut pool = self.mount(MountMode::ReadWrite)?;
        let tree = Tree::after(read_sequence(&mut pool)?);
        let _ = writeln!(console, "mounted {}", tree.sequence());
        compare(&mut pool, &tree)?;
        while pool.upkeep(false)? != Work::Nothing {}
        Ok(())
    }

    fn mount(&mut self, mode: MountMode) -> Result<Pool<'_, &mut Disks>, Failure> {
        let options = MountOptions::new().mode(mode);
        let mounted = Pool::mount(&mut self.disks, self.space.lend(), SERVICES, &options);
        Ok(mounted.map_err(|refused| refused.error)?)
    }
}
