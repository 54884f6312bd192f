//! The conformance kit: right devices pass, and each wrong one is named by its finding.

mod faulty;
mod layers;
mod power_cuts;
mod power_disk;
mod powered;
