//! All tests of the simulator and of the core in it, as one program: each program is compiled with a core of its own.

mod arguments;
mod broken;
mod common;
mod conditions;
mod cost;
mod crash;
mod degraded;
mod deleting;
mod devices;
mod examples;
mod failing_mounts;
mod first_format;
mod forged;
mod full;
mod growing;
mod lifecycle;
mod newer;
mod no_room_below;
mod no_space;
mod objects;
mod program;
mod protocol;
mod repair;
mod simulation;
mod superblocks;
mod trim;
