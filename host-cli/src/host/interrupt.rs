//! Ctrl-C: what is open is dropped, what was committed stays.

use crate::output::failure::{Code, Exit, Failure};
use signal_hook::consts::SIGXFSZ;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whoever waits is told at once.
static WAITING: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

/// Catches SIGINT, SIGTERM and SIGHUP. The second one ends the process at once, which a pool bears as well as a crash.
pub(crate) fn install() {
    // Without a handler the system's own ends the process, which is safe too.
    let _ = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            process::exit(Exit::Interrupted as i32);
        }
        let _waiting = WAITING.0.lock().unwrap_or_else(PoisonError::into_inner);
        WAITING.1.notify_all();
    });
    // A write beyond the limit on the size of files (`ulimit -f`) then fails, and with it the transaction
    // that asked for it. By default it ends the process. Nothing looks at the flag: the write's own error
    // tells.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Whether someone asked this process to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Lets time pass; someone who asks this process to stop ends that at once. Whether someone did.
pub(crate) fn wait(time: Duration) -> bool {
    let waiting = WAITING.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = WAITING.1.wait_timeout_while(waiting, time, |()| !requested());
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    requested()
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
