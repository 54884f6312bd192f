//! The life of a pool on the board: made, written, cut off in the middle of everything, found whole. Where it
//! has several disks: read and written with each of them missing, and losing each in the middle of a commit.
//!
//! Every part runs on each scheme that the build has. After each cut a pool must hold one version of its
//! contents, whole. It is the last committed one, or the one whose commit was cut off. The stack is measured
//! for each phase.
#![no_std]
#![no_main]

mod contents;
mod fault;
mod phases;
mod trial;

use board::disks::{self, SCHEMES};
use board::lent::{Lent, Weyl};
use board::machine::{self, Console, entry};
use board::power::Power;
use board::report::Figures;
use board::stack;
use core::fmt::Write;
use core::panic::PanicInfo;
use dynamicfs_core::types::Scheme;
use fault::Fault;
use phases::Peaks;
use trial::{Place, Trial};

static mut LENT: Lent = Lent::NEW;

#[entry]
fn main() -> ! {
    let mut host = Console;
    stack::paint();
    let power = Power::new();
    let lent = &raw mut LENT;
    let mut trial = Trial {
        contents: disks::take(),
        // SAFETY: a program begins once, and nothing else names its memory.
        lent: unsafe { &mut *lent },
        power: &power,
        entropy: Weyl(1),
        peaks: Peaks::default(),
        place: Place::default(),
    };
    let mut peaks = [Peaks::default(); SCHEMES.len()];
    for (scheme, peaks) in SCHEMES.iter().zip(&mut peaks) {
        if let Err(fault) = live(&mut trial, *scheme, &mut host) {
            let _ = writeln!(host, "FAILED life {scheme}: {fault:?} at {:?}", trial.place);
            machine::stop(false);
        }
        *peaks = core::mem::take(&mut trial.peaks);
    }
    let whole = !stack::overflowed();
    let _ = report(&mut host, &peaks);
    machine::stop(whole)
}

/// All parts with one scheme.
fn live(trial: &mut Trial<'_>, scheme: Scheme, host: &mut Console) -> Result<(), Fault> {
    let cuts = trial.cut_every_write_of_a_commit(scheme)?;
    let _ = writeln!(host, "OK life {scheme}: power cut in each of {} writes of a commit", cuts.commit);
    let _ =
        writeln!(host, "OK life {scheme}: and in each of {} writes of the mounts after that", cuts.recovery);
    let may_be_lost = if scheme.parity > 0 { 0..disks::COUNT } else { 0..0 };
    for gone in may_be_lost {
        trial.live_without(scheme, gone)?;
        let _ =
            writeln!(host, "OK life {scheme}: read and written without disk {gone}, which then came back");
        let losses = trial.lose_in_every_write_of_a_commit(scheme, gone)?;
        let _ =
            writeln!(host, "OK life {scheme}: disk {gone} lost in each of its {losses} writes of a commit");
    }
    Ok(())
}

/// The stack of each phase as a table, and everything as one line of JSON.
fn report(host: &mut Console, peaks: &[Peaks]) -> core::fmt::Result {
    let deepest = peaks.iter().map(Peaks::max).max().unwrap_or(0);
    let figures = Figures::new(size_of::<Lent>(), deepest);
    write!(host, "{:24}", "stack peak, bytes")?;
    for scheme in SCHEMES {
        write!(host, "{:6}{scheme:8}", "")?;
    }
    writeln!(host)?;
    for phase in phases::ALL {
        write!(host, "{:24}", phase.name())?;
        for peaks in peaks {
            write!(host, " {:>9}", peaks.of(phase))?;
        }
        writeln!(host)?;
    }
    figures.print_open("life");
    write!(host, ",\"phases\":{{")?;
    for (n, (scheme, peaks)) in SCHEMES.iter().zip(peaks).enumerate() {
        write!(host, "{}\"{scheme}\":{{", if n > 0 { "," } else { "" })?;
        for (n, phase) in phases::ALL.into_iter().enumerate() {
            write!(host, "{}\"{}\":{}", if n > 0 { "," } else { "" }, phase.name(), peaks.of(phase))?;
        }
        write!(host, "}}")?;
    }
    writeln!(host, "}}}}")
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "{info}");
    machine::stop(false)
}
