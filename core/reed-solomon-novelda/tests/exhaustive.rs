//! Every code against an independent library, and every pattern of losses it can bear.

use crate::common;
use reed_solomon_novelda::{Code, Kernel};
use rusty_erasure_core::{Coder, Matrix};

/// Odd, and more than one vector of the widest kernel.
const LENGTH: usize = 67;

/// Under an interpreter only a sample of the codes: every seventh is of another width and parity.
const CODE_STEP: usize = if cfg!(miri) { 7 } else { 1 };

/// The stripe as the other library computes it.
fn peer_stripe(code: Code, length: usize) -> Vec<Vec<u8>> {
    let data = common::fragments(code.data(), length, code.fragments() as u64);
    let parity = if code.parity() == 0 {
        Vec::new()
    } else {
        let peer = Coder::new(Matrix::reed_solomon(code.data(), code.parity()).unwrap()).unwrap();
        common::outputs(code.parity(), length, |parity| peer.encode(&common::slices(&data), parity)).unwrap()
    };
    [data, parity].concat()
}

/// All sets of fragments of `code` that can be lost together.
fn bearable_losses(code: Code) -> impl Iterator<Item = u32> {
    (0..1_u32 << code.fragments()).filter(move |lost| lost.count_ones() as usize <= code.parity())
}

#[test]
fn every_code_encodes_like_the_peer() {
    for code in common::codes().step_by(CODE_STEP) {
        let stripe = peer_stripe(code, LENGTH);
        let (data, parity) = stripe.split_at(code.data());
        for kernel in Kernel::available() {
            assert_eq!(common::encode(kernel, code, data), parity, "{} {code:?}", kernel.name());
        }
    }
}

/// Also the proof that elimination needs no pivot search: a zero pivot would spoil the result.
#[test]
fn every_bearable_loss_is_recovered() {
    let mut patterns = 0;
    for code in common::codes().step_by(CODE_STEP) {
        let stripe = peer_stripe(code, LENGTH);
        let step = if cfg!(miri) { 97 } else { 1 };
        for lost in bearable_losses(code).step_by(step) {
            let is_lost = |fragment: &u8| lost >> fragment & 1 == 1;
            let all = 0..code.fragments() as u8;
            let (wanted, left): (Vec<u8>, Vec<u8>) = all.partition(is_lost);
            // The first `k` that are left, then the last: as much parity as there is.
            common::check_recovery(code, &stripe, &left[..code.data()], &wanted);
            common::check_recovery(code, &stripe, &left[left.len() - code.data()..], &wanted);
            patterns += 1;
        }
    }
    if !cfg!(miri) {
        let expected: u64 =
            (1..=16).flat_map(|k| (0..=4).map(move |m| (0..=m).map(|n| choose(k + m, n)).sum::<u64>())).sum();
        assert_eq!(patterns, expected);
    }
}

fn choose(n: u64, k: u64) -> u64 {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}
