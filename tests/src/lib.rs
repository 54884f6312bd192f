//! The tests are in `tests/`, the benchmarks in `benches/`.
