//! In which order the requests of a batch reach their disks.

use crate::rng::Rng;
use dynamicfs_hal::{Operation, Request};

/// Requests that one call of the array has in flight at once; longer batches are run in parts.
pub const BATCH_MAX: usize = 64;

/// The indices of a batch's requests in an arbitrary order that the contract allows. Only a flush must come
/// after the earlier requests to its disk.
pub(super) fn arbitrary<'o>(
    batch: &[Request<'_>],
    rng: &mut Rng,
    order: &'o mut [u8; BATCH_MAX],
) -> &'o [u8] {
    let mut shuffled = first(batch.len());
    rng.shuffle(&mut shuffled[..batch.len()]);
    let (mut placed, mut length) = (0_u64, 0);
    let mut place = |index: usize| {
        if placed >> index & 1 == 0 {
            placed |= 1 << index;
            order[length] = index as u8;
            length += 1;
        }
    };
    for &index in &shuffled[..batch.len()] {
        let index = usize::from(index);
        if matches!(batch[index].operation, Operation::Flush) {
            (0..index).filter(|&earlier| batch[earlier].disk == batch[index].disk).for_each(&mut place);
        }
        place(index);
    }
    &order[..length]
}

/// The indices of a batch's requests in the order in which they were added.
pub(super) fn as_added<'o>(batch: &[Request<'_>], order: &'o mut [u8; BATCH_MAX]) -> &'o [u8] {
    *order = first(batch.len());
    &order[..batch.len()]
}

fn first(length: usize) -> [u8; BATCH_MAX] {
    assert!(length <= BATCH_MAX);
    std::array::from_fn(|index| index as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_allowed_order_is_reached_and_no_other() {
        let batch = [
            Request::write(0, 1, &[]),
            Request::write(1, 2, &[]),
            Request::flush(0),
            Request::write(0, 3, &[]),
        ];
        let mut rng = Rng::new(1);
        let mut orders = BTreeSet::new();
        for _ in 0..1000 {
            let mut order = [0; BATCH_MAX];
            orders.insert(arbitrary(&batch, &mut rng, &mut order).to_vec());
        }
        let position = |order: &[u8], request: u8| order.iter().position(|&index| index == request);
        assert!(orders.iter().all(|order| position(order, 0) < position(order, 2)));
        // Half of the 24 orders of four requests.
        assert_eq!(orders.len(), 12);
    }

    #[test]
    fn a_full_batch_keeps_every_request() {
        let batch: Vec<_> = (0..BATCH_MAX).map(|index| Request::flush(index % 3)).collect();
        let mut order = [0; BATCH_MAX];
        let mut order = arbitrary(&batch, &mut Rng::new(1), &mut order).to_vec();
        order.sort_unstable();
        assert!(order.into_iter().eq(0..BATCH_MAX as u8));
    }
}
