//! How long the reads of a disk take, on average. Pure.

/// Adds a measurement of a read, in microseconds, to a moving average: the mean of the first sixteen, then a
/// sixteenth each. 0 is none.
pub(super) fn measure(latency: &mut u32, samples: &mut u8, micros: u64) {
    if micros == 0 {
        return;
    }
    *samples = samples.saturating_add(1);
    let weight = u32::from(*samples).min(16);
    let sample = micros.min(1 << 24) as u32 * 16;
    *latency = *latency - *latency / weight + sample / weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_follows_what_is_measured() {
        let (mut latency, mut samples) = (0, 0);
        measure(&mut latency, &mut samples, 0);
        assert_eq!((latency, samples), (0, 0));
        measure(&mut latency, &mut samples, 1000);
        assert_eq!(latency / 16, 1000, "the first is believed");
        (0..100).for_each(|_| measure(&mut latency, &mut samples, 50_000));
        assert!((49_000..=50_000).contains(&(latency / 16)), "{latency}");
        (0..200).for_each(|_| measure(&mut latency, &mut samples, u64::MAX));
        (0..400).for_each(|_| measure(&mut latency, &mut samples, 10));
        assert!((9..=11).contains(&(latency / 16)), "{latency}");
    }
}
