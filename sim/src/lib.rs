//! DynamicFS in a deterministic world: simulated disks that lose power and fail.
