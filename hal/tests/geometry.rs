//! The bounds of a geometry.

use dynamicfs_hal::{Geometry, GeometryError};

#[test]
fn bounds_are_held() {
    let check = |change: fn(&mut Geometry), expected| {
        let mut geometry = Geometry::new(4096, 1000);
        change(&mut geometry);
        assert_eq!(geometry.check(), expected, "{geometry:?}");
    };
    check(|_| {}, Ok(()));
    check(|geometry| geometry.sectors = 0, Ok(()));
    for change in [
        (|geometry| geometry.sector_bytes = 0) as fn(&mut Geometry),
        |geometry| geometry.sector_bytes = 256,
        |geometry| geometry.sector_bytes = 520,
        |geometry| geometry.sector_bytes = 32768,
    ] {
        check(change, Err(GeometryError::SectorBytes));
    }
    check(|geometry| geometry.buffer_alignment = 0, Err(GeometryError::BufferAlignment));
    check(|geometry| geometry.buffer_alignment = 3, Err(GeometryError::BufferAlignment));
    check(|geometry| geometry.tear_unit = 2048, Err(GeometryError::TearUnit));
    check(|geometry| geometry.tear_unit = 12288, Err(GeometryError::TearUnit));
    check(|geometry| geometry.sectors = (1 << 51) - 1, Ok(()));
    check(|geometry| geometry.sectors = 1 << 51, Err(GeometryError::TooLarge));
    check(|geometry| geometry.sectors = u64::MAX, Err(GeometryError::TooLarge));
}

#[test]
fn bytes_saturate() {
    assert_eq!(Geometry::new(512, 3).bytes(), 1536);
    assert_eq!(Geometry::new(512, u64::MAX).bytes(), u64::MAX);
}
