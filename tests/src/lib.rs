//! What the tests in `tests/` share; the benchmarks are in `benches/`.

pub mod document;
pub mod dump;
pub mod golden;
pub mod reader;
