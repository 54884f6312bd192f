//! Names whose hashes are equal in a pool with a certain seed: otherwise no test would ever meet them.
//!
//! The core hashes names with a key that it draws when a pool is formatted. The world draws for it, so a
//! world can draw one for which colliding names are known. `sim/examples/colliding_names.rs` searched for
//! them once: pairs among 2^30 names that agree in 56 bits, more than a key holds. Nothing in the core knows
//! of it.

use crate::Rng;
use dynamicfs_core::types::Uuid;
use dynamicfs_hal::{Entropy, EntropyError};

/// The hash seed of a pool in which [`NAMES`] collide.
pub const SEED: Uuid = Uuid(*b"names that meet!");

/// Pairs of names whose hashes are equal under [`SEED`].
pub const NAMES: [[&str; 2]; 3] = [["n2gzmcd", "nctql2s"], ["nydnmye", "noexsru"], ["njgasat", "nmqdgpw"]];

/// The randomness with which a pool is formatted whose hash seed is [`SEED`].
#[derive(Debug)]
pub struct Meeting {
    rng: Rng,
    drawn: u32,
}

impl Meeting {
    /// As this generator, but for the seed.
    pub const fn new(rng: Rng) -> Self {
        Self { rng, drawn: 0 }
    }
}

impl Entropy for Meeting {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        self.rng.fill(buf);
        self.drawn += 1;
        // The first is the pool's name.
        if self.drawn == 2 && buf.len() == SEED.0.len() {
            buf.copy_from_slice(&SEED.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamicfs_core::format::name::hash;

    #[test]
    fn the_names_do_collide() {
        for [one, other] in NAMES {
            assert_ne!(one, other);
            assert_eq!(hash(SEED, one.as_bytes()), hash(SEED, other.as_bytes()), "{one} {other}");
        }
    }
}
