//! A pool is mounted from an image that lies, with checksums that are right.
//!
//! Nothing may panic, overflow, hang or cause unbounded I/O; errors are typed.
#![no_main]

use arbitrary::Arbitrary;
use dynamicfs_fuzz::base::bases;
use dynamicfs_fuzz::edit::{Edit, Image};
use dynamicfs_fuzz::exercise::{Plan, exercise};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    plan: Plan,
    edits: Vec<Edit>,
}

fuzz_target!(|input: Input| {
    let bases = bases();
    let base = &bases[usize::from(input.plan.base) % bases.len()];
    let mut image = Image::of(base);
    for edit in input.edits.iter().take(16) {
        image.edit(base, edit);
    }
    exercise(image.seal(base), &input.plan);
});
