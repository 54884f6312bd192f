//! DynamicFS in a deterministic world: simulated disks that lose power and fail.
//!
//! One seed makes everything: what unwritten sectors hold, in which order requests are run, what a power cut leaves,
//! how failures go. There is no clock, no thread and no other randomness, so that a seed replays exactly.
//!
//! | module | what it is |
//! |---|---|
//! | [`rng`] | the generator, with independent streams by name |
//! | [`pages`] | sparse bytes that are cheap to fork |
//! | [`clock`] | simulated time, and what disks take of it |
//! | [`disk`] | one disk: durable bytes, volatile cache, faults |
//! | [`mod@array`] | all disks behind `DiskArray`: the fuse, crashes, the trace |
//! | [`world`] | what a pool is given there: memory, no time |
//! | [`colliding`] | names whose hashes are equal |
//! | [`workload`] | operations on a pool, and random ones |
//! | [`model`] | the oracle: a pool as plain maps |
//! | [`simulation`] | runs made by one seed: faults, crashes, and every check there is |
//! | [`exhaustive`] | every short sequence of operations, cut at every I/O, again and again |
//! | [`prepared`] | pools in which something is about to happen |
//! | [`forge`] | records changed with every checksum right |
//! | [`mod@crash`] | power cuts at every I/O of a session, and what must hold after each |
//!
//! ```
//! use dynamicfs_hal::{Geometry, Request};
//! use dynamicfs_sim::{CrashPolicy, Halt, Rng, SimArray};
//!
//! let mut rng = Rng::new(1);
//! let mut array = SimArray::new(1, [Geometry::new(512, 128); 3]);
//! array.run(Request::write(0, 5, &[1; 512])).unwrap();
//! array.run(Request::flush(0)).unwrap();
//!
//! // The power goes during the next I/O but one.
//! array.halt_at(array.steps() + 1, Halt::PowerCut);
//! array.run(Request::write(0, 5, &[2; 512])).unwrap();
//! array.run(Request::write(0, 6, &[3; 512])).unwrap_err();
//!
//! // Nothing was flushed since, so a crash may lose both.
//! let mut after = array.crash(CrashPolicy::Nothing, &mut rng);
//! let mut sector = [0; 512];
//! after.run(Request::read(0, 5, &mut sector)).unwrap();
//! assert_eq!(sector, [1; 512]);
//!
//! // Or any of the four subsets may be there.
//! assert_eq!(array.crash_states(100, &mut rng).count(), 4);
//! ```
#![forbid(unsafe_code)]

pub mod array;
mod build;
pub mod clock;
pub mod colliding;
pub mod crash;
mod digest;
pub mod disk;
pub mod exhaustive;
pub mod forge;
mod loss;
pub mod model;
pub mod pages;
pub mod prepared;
pub mod rng;
pub mod simulation;
pub mod states;
pub mod workload;
pub mod world;

pub use array::{CrashStates, Event, EventKind, Halt, Sabotage, SimArray};
pub use disk::{CrashPolicy, DiskCounters, IoKind, Mishap, SimDisk};
pub use rng::Rng;
pub use simulation::Simulation;
