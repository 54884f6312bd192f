//! Counts the instructions of a commit: some bytes written into a file, as `log::write` does it.
//!
//! QEMU must count them itself (`-icount shift=0`, as `../flags.sh` starts it): the board's timer then goes
//! by instructions. How many a tick has is found with a loop whose instructions are known.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES, Weyl};
use board::{disks, log, machine, report};
use dynamicfs_core::{FormatOptions, Pool};

/// Commits that are counted, after as many that are not.
const COMMITS: u32 = 16;

/// Instructions of the known loop.
const KNOWN: u32 = 1 << 20;

board::program!("commits", run);

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let scheme = disks::SCHEMES.last().ok_or("scheme")?;
    let options = FormatOptions::portable(*scheme).force(true);
    let made = Pool::format(disks::array(), lent.lend(), SERVICES, &mut Weyl(9), &options, &[]);
    let mut pool = made.map_err(|_| "format")?;
    log::make(&mut pool)?;

    let mut timer = machine::Timer::start();
    let known = timer.ticks(|| machine::spin(KNOWN));
    let commits = |pool: &mut Pool<'_, _>| (0..COMMITS).try_for_each(|_| log::write(pool).map(drop));
    commits(&mut pool)?;
    let mut done = Ok(());
    let ticks = timer.ticks(|| done = commits(&mut pool));
    done?;
    let one = u64::from(ticks) * u64::from(KNOWN) / u64::from(known.max(1)) / u64::from(COMMITS);
    machine::print("{\"instructions\":");
    report::print_number(one as usize);
    machine::print("}\n");
    Ok(())
}
