//! A panic of the core is a failure like any other: caught, with where it happened, and not printed.

use crate::array::PatienceEnded;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How something ended that did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unwound {
    /// A panic, in words with its place.
    Panic(String),
    /// It did more I/O than anyone waits for.
    Hang,
}

/// Runs something and catches its panic.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Unwound> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                SEEN.with_borrow_mut(|seen| *seen = describe(info));
            } else {
                before(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(outer);
    done.map_err(|payload| match payload.downcast_ref() {
        Some(PatienceEnded) => Unwound::Hang,
        None => Unwound::Panic(SEEN.take()),
    })
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("a panic without words");
    let mut text = match info.location() {
        Some(place) => format!("{what}, at {}:{}", place.file(), place.line()),
        None => what.to_owned(),
    };
    // With RUST_BACKTRACE=full, the way there too.
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value == "full") {
        text += &format!("\n{}", Backtrace::force_capture());
    }
    text
}
