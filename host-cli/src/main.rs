//! The DynamicFS command line: pools on files and block devices.
fn main() {}
