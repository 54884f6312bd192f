//! Random shapes and contents.

use crate::common::{self, Field};
use proptest::prelude::*;
use reed_solomon_novelda::{Code, Kernel};

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..Default::default()
    }
}

fn any_code() -> impl Strategy<Value = Code> {
    (1..=16_u8, 0..=4_u8).prop_map(|(k, m)| Code::new(k, m).unwrap())
}

/// A code, all its fragment numbers in any order, and a length.
fn any_stripe() -> impl Strategy<Value = (Code, Vec<u8>, usize)> {
    any_code().prop_flat_map(|code| {
        let numbers: Vec<u8> = (0..code.fragments() as u8).collect();
        (Just(code), Just(numbers).prop_shuffle(), 0..700_usize)
    })
}

proptest! {
    #![proptest_config(config())]

    /// The first `k` of the shuffled numbers survive, the rest is wanted, in that order.
    #[test]
    fn any_order_of_survivors_recovers_the_rest((code, order, length) in any_stripe(), seed: u64) {
        let data = common::fragments(code.data(), length, seed);
        let parity = Field::new().encode(&data, code.parity());
        let (survivors, wanted) = order.split_at(code.data());
        common::check_recovery(code, &[data, parity].concat(), survivors, wanted);
    }

    /// A code is linear: the parity of a sum is the sum of the parities.
    #[test]
    fn encoding_is_linear(code in any_code(), length in 0..300_usize, seed: u64) {
        let add = |a: &[Vec<u8>], b: &[Vec<u8>]| -> Vec<Vec<u8>> {
            a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a ^ b).collect()).collect()
        };
        let a = common::fragments(code.data(), length, seed);
        let b = common::fragments(code.data(), length, !seed);
        for kernel in Kernel::available() {
            let encode = |data: &[Vec<u8>]| common::encode(kernel, code, data);
            prop_assert_eq!(encode(&add(&a, &b)), add(&encode(&a), &encode(&b)));
        }
    }

    /// Slices of any number and length are encoded or refused, by the same rule, without a panic.
    #[test]
    fn any_shape_is_encoded_or_refused(
        code in any_code(),
        data in prop::collection::vec(0..3_usize, 0..18),
        parity in prop::collection::vec(0..3_usize, 0..6),
    ) {
        let fits = data.len() == code.data()
            && parity.len() == code.parity()
            && data.iter().chain(&parity).all(|length| *length == data[0]);
        let data: Vec<Vec<u8>> = data.into_iter().map(|length| vec![1; length]).collect();
        let mut parity: Vec<Vec<u8>> = parity.into_iter().map(|length| vec![1; length]).collect();
        let mut outputs: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
        let result = code.encode(&common::slices(&data), &mut outputs);
        prop_assert_eq!(result.is_ok(), fits);
    }

    /// Any numbers make a plan or are refused, by the same rule, without a panic.
    #[test]
    fn any_numbers_are_planned_or_refused(
        code in any_code(),
        survivors in prop::collection::vec(0..24_u8, 0..20),
        wanted in prop::collection::vec(0..24_u8, 0..6),
    ) {
        let mut numbers = [&survivors[..], &wanted].concat();
        numbers.sort_unstable();
        let fits = survivors.len() == code.data()
            && numbers.windows(2).all(|pair| pair[0] != pair[1])
            && numbers.iter().all(|&number| usize::from(number) < code.fragments());
        prop_assert_eq!(code.recovery(&survivors, &wanted).is_ok(), fits);
    }
}
