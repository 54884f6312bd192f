//! Searches for names whose hashes are equal: prints the pairs among 2^30 names, for `sim/src/colliding.rs`.
//!
//! `cargo run --release -p dynamicfs-sim --example colliding_names`: some minutes, and 600 MiB of memory. With
//! `-- 20` it looks at 2^20 names alone.

use dynamicfs_core::format::name::hash;
use dynamicfs_sim::colliding::SEED;

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Hashes are looked at in so many parts, by their highest bits, so that those of a part fit into memory.
const PARTS: u64 = 16;

fn name(number: u32) -> [u8; 7] {
    let mut name = [b'n'; 7];
    (0..6).for_each(|place| name[1 + place] = LETTERS[(number >> (5 * place)) as usize % LETTERS.len()]);
    name
}

fn main() {
    let bits = std::env::args().nth(1).map_or(30, |bits| bits.parse().expect("a number of bits"));
    let hash_of = |number: u32| hash(SEED, &name(number));
    for part in 0..PARTS {
        let is_here = |hash: &u64| hash / (u64::MAX / PARTS + 1) == part;
        let mut hashes: Vec<u64> = (0..1 << bits).map(hash_of).filter(is_here).collect();
        hashes.sort_unstable();
        let twice: Vec<u64> = hashes.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        drop(hashes);
        if !twice.is_empty() {
            for number in (0..1 << bits).filter(|&number| twice.contains(&hash_of(number))) {
                println!("{:016x} {}", hash_of(number), String::from_utf8_lossy(&name(number)));
            }
        }
    }
}
