//! Vectors that were computed once by another program, and must never change: what is on a disk
//! stays readable.

use std::fs;
use std::path::Path;

use crate::common::{self, Field};
use reed_solomon_novelda::{Code, Kernel};
use rusty_erasure_core::{Coder, Matrix};

struct Golden {
    code: Code,
    /// Data, then parity.
    stripe: Vec<Vec<u8>>,
}

fn golden() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let index = fs::read_to_string(folder.join("index.txt")).unwrap();
    let lines = index.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let [name, k, m, length] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let bytes = fs::read(folder.join(name)).unwrap();
            let code = Code::new(k.parse().unwrap(), m.parse().unwrap()).unwrap();
            let length: usize = length.parse().unwrap();
            assert_eq!(bytes.len(), code.fragments() * length, "{name}");
            Golden { code, stripe: bytes.chunks(length).map(<[u8]>::to_vec).collect() }
        })
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn every_kernel_and_two_other_implementations_agree() {
    let field = Field::new();
    let vectors = golden();
    assert!(vectors.len() >= 10);
    for Golden { code, stripe } in vectors {
        let (data, parity) = stripe.split_at(code.data());
        assert_eq!(field.encode(data, code.parity()), parity, "tables {code:?}");
        for kernel in Kernel::available() {
            assert_eq!(common::encode(kernel, code, data), parity, "{} {code:?}", kernel.name());
        }
        if code.parity() > 0 {
            let peer = Coder::new(Matrix::reed_solomon(code.data(), code.parity()).unwrap()).unwrap();
            let length = data[0].len();
            let computed =
                common::outputs(code.parity(), length, |parity| peer.encode(&common::slices(data), parity));
            assert_eq!(computed.unwrap(), parity, "rusty_erasure-core {code:?}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn golden_stripes_survive_their_worst_loss() {
    for Golden { code, stripe } in golden() {
        let (m, n) = (code.parity() as u8, code.fragments() as u8);
        let lost: Vec<u8> = (0..m).collect();
        let survivors: Vec<u8> = (m..n).collect();
        common::check_recovery(code, &stripe, &survivors, &lost);
    }
}
