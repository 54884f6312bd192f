//! The conformance kit: right devices pass, and each wrong one is named by its finding.

#[path = "conformance/faulty.rs"]
mod faulty;
#[path = "conformance/layers.rs"]
mod layers;
#[path = "conformance/power_cuts.rs"]
mod power_cuts;
#[path = "conformance/power_disk.rs"]
mod power_disk;
#[path = "conformance/powered.rs"]
mod powered;
