//! The layers under the kit: what they do to a right device leaves it right, also when the power goes.

use dynamicfs_hal::conformance::{Cuts, Finding, Plan, PowerSwitch, destroy_and_check, destroy_and_cut};
use dynamicfs_hal::{BlockDevice, Bounce, Geometry, IoError, Partition, SharedDevice};

use super::faulty::{Fault, Faulty};
use super::power_disk::{Lie, PowerDisk, Switch, Torn};

const GEOMETRY: Geometry =
    Geometry { buffer_alignment: 64, tear_unit: 4096, discard: true, ..Geometry::new(512, 300) };

fn right() -> Faulty {
    Faulty::new(Fault::Refuses(64), GEOMETRY)
}

#[test]
fn layers_over_a_right_device_pass() {
    let mut memory = vec![0; 16 << 10];
    let mut check = |device: &mut dyn BlockDevice<Error = dynamicfs_hal::LayerError<IoError>>| {
        let mut device = device;
        let checked = destroy_and_check(&mut device, &mut memory, &Plan::new(1));
        checked.unwrap_or_else(|finding| panic!("{finding}"));
    };
    check(&mut Some(right()));
    check(&mut Partition::new(right(), 16, 200).unwrap());
    check(&mut &SharedDevice::new(right()));
    for sectors in [1, 3, 8, 20] {
        let mut lent = vec![0; sectors * 512 + 63];
        check(&mut Bounce::for_alignment(right(), &mut lent).unwrap());
        check(&mut Bounce::for_region(right(), &mut lent).unwrap());
    }
}

/// A disk whose power can be cut, under a layer.
struct Layered<T> {
    device: Option<T>,
    wrap: fn(PowerDisk) -> T,
    unwrap: fn(T) -> PowerDisk,
}

impl<T: BlockDevice> Layered<T> {
    fn with_disk<R>(&mut self, f: impl FnOnce(&mut Switch) -> R) -> R {
        let disk = (self.unwrap)(self.device.take().expect("a device"));
        let mut switch = Switch { disk, by_hand: false };
        let result = f(&mut switch);
        self.device = Some((self.wrap)(switch.disk));
        result
    }
}

impl<T: BlockDevice> PowerSwitch for Layered<T> {
    type Device = T;

    fn device(&mut self) -> &mut T {
        self.device.as_mut().expect("a device")
    }
    fn arm(&mut self, draw: u32) -> bool {
        self.with_disk(|switch| switch.arm(draw))
    }
    fn cut(&mut self) -> Result<(), IoError> {
        self.with_disk(Switch::cut)
    }
}

fn cut<T: BlockDevice>(
    geometry: Geometry,
    wrap: fn(PowerDisk) -> T,
    unwrap: fn(T) -> PowerDisk,
) -> Result<Cuts, Finding> {
    let device = Some(wrap(PowerDisk::new(geometry, Lie::None, Torn::Garbage)));
    destroy_and_cut(&mut Layered { device, wrap, unwrap }, &mut vec![0; 16 << 10], 1, 200)
}

#[test]
fn a_power_cut_under_a_layer_damages_no_more_than_is_stated() {
    for volatile_cache in [false, true] {
        let geometry = Geometry { volatile_cache, buffer_alignment: 1, ..GEOMETRY };
        let bounce = cut(
            geometry,
            |disk| Bounce::for_region(disk, vec![0; 9 * 512].leak()).unwrap(),
            Bounce::into_inner,
        );
        let short_bounce = cut(
            geometry,
            |disk| Bounce::for_region(disk, vec![0; 2 * 512].leak()).unwrap(),
            Bounce::into_inner,
        );
        let partition = cut(geometry, |disk| Partition::new(disk, 8, 280).unwrap(), Partition::into_inner);
        for cuts in [bounce, short_bounce, partition] {
            let cuts = cuts.unwrap_or_else(|finding| panic!("{finding}"));
            assert!(cuts.interrupted > 50 && cuts.torn > 10, "{cuts:?}");
        }
    }
}
