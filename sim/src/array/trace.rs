//! What happened: always as a running hash, and as a list of events when asked for.

use crate::digest::fold;
use dynamicfs_hal::IoError;

/// What an [`Event`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A read.
    Read,
    /// A write.
    Write,
    /// A write that is durable when it returns.
    WriteDurable,
    /// A flush.
    Flush,
    /// A discard.
    Discard,
    /// The fuse went off at this request, and the power is gone.
    PowerCut,
    /// The fuse went off at this request, and the process is dead.
    ProcessCrash,
    /// The power came back.
    PowerCycle,
    /// The process was started again.
    Restart,
    /// A mark set by the driver of the array; its number is in `lba`.
    Mark,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number of the I/O, or of the next one for what is none.
    pub step: u64,
    /// What it is about.
    pub kind: EventKind,
    /// The disk's index; 0 for what concerns all.
    pub disk: u32,
    /// The first sector; 0 for a flush.
    pub lba: u64,
    /// Bytes read or written, sectors discarded.
    pub length: u64,
    /// What the disk answered.
    pub result: Result<(), IoError>,
}

/// The running hash and the optional list.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    events: Option<Vec<Event>>,
}

impl Trace {
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn events(&self) -> &[Event] {
        self.events.as_deref().unwrap_or_default()
    }

    pub(super) fn keep_events(&mut self, keep: bool) {
        self.events = keep.then(|| self.events.take().unwrap_or_default());
    }

    /// Adds an event; `digest` is that of the bytes that it wrote.
    pub(super) fn add(&mut self, event: Event, digest: u64) {
        let words = [
            event.step,
            (event.kind as u64) << 32 | u64::from(event.disk),
            event.lba,
            event.length,
            event.result.map_or_else(|error| 1 + error as u64, |()| 0),
            digest,
        ];
        self.hash = words.into_iter().fold(self.hash, fold);
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }
}
