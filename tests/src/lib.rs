//! What the tests in `tests/` share; the benchmarks are in `benches/`.

pub mod document;
pub mod dump;
pub mod golden;
pub mod mutants;
pub mod reader;

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
