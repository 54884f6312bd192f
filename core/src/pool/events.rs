//! Events, and the thresholds for disks.

use super::Pool;
use crate::disks::condition::Thresholds;
use crate::disks::events::Event;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Pool<'_, A> {
    /// Takes the oldest event, `None` if nothing has happened since.
    /// [`EVENTS_PER_DISK`](crate::limits::EVENTS_PER_DISK) wait for each disk of the array. A program that
    /// wants all of them asks after each operation.
    pub fn next_event(&mut self) -> Option<Event> {
        self.objects.store.tree.disks.next_event()
    }

    /// How many events were dropped, because too many waited, since this was last asked.
    pub fn take_dropped_events(&mut self) -> u32 {
        self.objects.store.tree.disks.take_dropped_events()
    }

    /// The thresholds for disks.
    pub fn thresholds(&self) -> &Thresholds {
        &self.objects.store.tree.disks.thresholds
    }

    /// Judges disks by these thresholds from now on; until then by the defaults. Nothing is written.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.objects.store.tree.disks.set_thresholds(thresholds);
    }
}
