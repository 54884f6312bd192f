//! The adapter over the asynchronous trait of `block-device-driver`: a disk in memory that takes its time.

use std::future::poll_fn;
use std::task::Poll;

use aligned::{A4, A32, Aligned, Alignment};
use block_device_driver::BlockDevice as Foreign;
use dynamicfs_hal::adapter::{AsyncDisk, OpenError};
use dynamicfs_hal::conformance::{Plan, destroy_and_check};
use dynamicfs_hal::{BlockDevice, Bounce, DeviceError, GeometryError, IoError};

/// What the disk answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RamError {
    Pulled,
}

/// A disk whose every operation is pending some times before it is done.
struct Ram<A, const SIZE: usize> {
    blocks: Vec<[u8; SIZE]>,
    bytes: u64,
    error: Option<RamError>,
    polls: u32,
    align: std::marker::PhantomData<A>,
}

impl<A, const SIZE: usize> Ram<A, SIZE> {
    fn new(blocks: usize) -> Self {
        let (bytes, align) = ((blocks * SIZE) as u64, std::marker::PhantomData);
        Self { blocks: vec![[0; SIZE]; blocks], bytes, error: None, polls: 0, align }
    }

    /// An interrupt that comes after three polls.
    async fn wait(&mut self) -> Result<(), RamError> {
        let mut left = 3;
        poll_fn(|context| {
            self.polls += 1;
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.error.map_or(Ok(()), Err)
    }
}

impl<A: Alignment, const SIZE: usize> Foreign<SIZE> for Ram<A, SIZE> {
    type Error = RamError;
    type Align = A;

    async fn read(&mut self, at: u32, data: &mut [Aligned<A, [u8; SIZE]>]) -> Result<(), RamError> {
        self.wait().await?;
        for (to, from) in data.iter_mut().zip(&self.blocks[at as usize..]) {
            **to = *from;
        }
        Ok(())
    }

    async fn write(&mut self, at: u32, data: &[Aligned<A, [u8; SIZE]>]) -> Result<(), RamError> {
        self.wait().await?;
        for (from, to) in data.iter().zip(&mut self.blocks[at as usize..]) {
            *to = **from;
        }
        Ok(())
    }

    async fn size(&mut self) -> Result<u64, RamError> {
        self.wait().await?;
        Ok(self.bytes)
    }
}

fn passes<A: Alignment, const SIZE: usize>() {
    let mut disk = AsyncDisk::new(Ram::<A, SIZE>::new(100), 16384).unwrap();
    let geometry = disk.geometry();
    assert_eq!((geometry.sector_bytes as usize, geometry.sectors), (SIZE, 100));
    assert_eq!(geometry.buffer_alignment as usize, A::ALIGN);
    assert!(geometry.volatile_cache && !geometry.discard);
    let mut memory = vec![0; 12 * SIZE + 1024];
    assert!(destroy_and_check(&mut disk, &mut memory, &Plan::new(1)).unwrap().whole_capacity);
    // Any buffer will do over it.
    let mut lent = vec![0; 2 * SIZE + A::ALIGN];
    let mut bounce = Bounce::for_alignment(&mut disk, &mut lent).unwrap();
    destroy_and_check(&mut bounce, &mut memory, &Plan::new(2)).unwrap();
    assert!(disk.into_inner().polls > 1000, "operations were pending");
}

#[test]
fn passes_the_kit() {
    passes::<A4, 512>();
    passes::<A32, 4096>();
}

#[test]
fn buffers_without_the_alignment_are_refused_before_the_driver_sees_them() {
    let mut disk = AsyncDisk::new(Ram::<A32, 512>::new(100), 512).unwrap();
    let memory = [Aligned::<A32, _>([0; 1024])];
    let buf: &[u8] = &memory[0][1..513];
    assert_eq!(disk.write(0, buf).unwrap_err().kind(), IoError::NotAligned);
    assert_eq!(disk.write(100, &memory[0][..512]).unwrap_err().kind(), IoError::OutOfBounds);
    assert_eq!(disk.write(1 << 32, &memory[0][..512]).unwrap_err().kind(), IoError::OutOfBounds);
    disk.write(100, &memory[0][..0]).unwrap();
    disk.read(100, &mut []).unwrap();
}

#[test]
fn blocks_beyond_the_trait_s_numbers_are_not_used() {
    let ram = Ram::<A4, 512> { bytes: 3 << 41, ..Ram::new(1) };
    assert_eq!(AsyncDisk::new(ram, 512).unwrap().geometry().sectors, 1 << 32);
}

#[test]
fn what_cannot_be_a_disk_is_refused() {
    let small = AsyncDisk::new(Ram::<A4, 128>::new(100), 512);
    assert!(matches!(small, Err(OpenError::Geometry(GeometryError::SectorBytes))));
    let ram = Ram::<A4, 512> { error: Some(RamError::Pulled), ..Ram::new(1) };
    assert!(matches!(AsyncDisk::new(ram, 512), Err(OpenError::Device(RamError::Pulled))));
}

#[test]
fn errors_have_the_kind_that_the_integrator_gives_them() {
    let mut ram = Ram::<A4, 512>::new(8);
    let mut disk = AsyncDisk::new(&mut ram, 512).unwrap();
    let mut memory = [Aligned::<A4, _>([0; 512])];
    disk.flush().unwrap();
    ram.error = Some(RamError::Pulled);
    let failing = Failing(RamError::Pulled);
    let mut disk = AsyncDisk::new(failing, 512).unwrap().with_error_kind(|_| IoError::Gone);
    assert_eq!(disk.read(0, &mut *memory[0]).unwrap_err().kind(), IoError::Gone);
    assert_eq!(disk.write(0, &*memory[0]).unwrap_err().kind(), IoError::Gone);
    assert_eq!(disk.flush().unwrap_err().kind(), IoError::Gone);
    let mut plain = AsyncDisk::new(Failing(RamError::Pulled), 512).unwrap();
    assert_eq!(plain.flush().unwrap_err().kind(), IoError::Media);
}

/// A disk that tells its size and nothing else.
struct Failing(RamError);

impl Foreign<512> for Failing {
    type Error = RamError;
    type Align = A4;

    async fn read(&mut self, _: u32, _: &mut [Aligned<A4, [u8; 512]>]) -> Result<(), RamError> {
        Err(self.0)
    }
    async fn write(&mut self, _: u32, _: &[Aligned<A4, [u8; 512]>]) -> Result<(), RamError> {
        Err(self.0)
    }
    async fn size(&mut self) -> Result<u64, RamError> {
        Ok(8 * 512)
    }
}
