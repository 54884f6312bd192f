//! Ctrl-C: what is open is dropped, what was committed stays.

use crate::output::failure::{Code, Exit, Failure};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Catches SIGINT, SIGTERM and SIGHUP. The second one ends the process at once, which a pool bears as well as a crash.
pub(crate) fn install() {
    // Without a handler the system's own ends the process, which is safe too.
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            process::exit(Exit::Interrupted as i32);
        }
    });
}

/// Whether someone asked this process to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Fails once someone asked this process to stop.
pub(crate) fn check() -> Result<(), Failure> {
    if requested() { Err(interrupted()) } else { Ok(()) }
}

/// The failure of a command that was interrupted.
pub(crate) fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted; what was committed before is kept, the rest was dropped")
        .hint("run the same command again to finish")
}
