//! What the virtio driver asks of a board: memory for its queues, and addresses as devices see them.

use crate::board;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::Transport;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Pages for queues: three of each device, and no device is ever given up.
const PAGES: usize = 24;

#[repr(C, align(4096))]
struct Pages([u8; PAGES * PAGE_SIZE]);

static mut QUEUES: Pages = Pages([0; PAGES * PAGE_SIZE]);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The board, as the driver asks it: devices see memory where the program does, and all of it.
pub(crate) struct Direct;

// SAFETY: addresses of devices are those of the program. Each page of `QUEUES` is given out once, zeroed at
// reset, and never again, as `dma_dealloc` keeps it.
unsafe impl Hal for Direct {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = TAKEN.fetch_add(pages, Ordering::Relaxed);
        if first + pages > PAGES {
            // Address 0 tells the driver that there is none.
            return (0, NonNull::dangling());
        }
        // SAFETY: the page is one of `QUEUES`.
        let at = unsafe { (&raw mut QUEUES).cast::<u8>().add(first * PAGE_SIZE) };
        NonNull::new(at).map_or((0, NonNull::dangling()), |page| (at as PhysAddr, page))
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        // For devices behind PCI alone, which this board is not asked for.
        NonNull::new(address as usize as *mut u8).unwrap_or(NonNull::dangling())
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// The device at a place of the board, if there is one of this kind.
pub(crate) fn device(place: usize, kind: DeviceType) -> Option<MmioTransport<'static>> {
    let (registers, bytes) = board::virtio_place(place)?;
    let header = registers.cast::<VirtIOHeader>();
    // SAFETY: the board has registers of a virtio device there, or of none, which they say. Only the part of
    // the program that owns the device asks for its place.
    let transport = unsafe { MmioTransport::new(header, bytes) }.ok()?;
    (transport.device_type() == kind).then_some(transport)
}
