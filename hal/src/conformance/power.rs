//! Writing until the power goes, and looking at what is left.

use super::aftermath::{Must, Suspicion};
use super::finding::{Finding, Step};
use super::probe::Probe;
use super::rounds::{Area, ROUNDS_MAX, round_of};
use super::stamp::{Draw, Stamp, mix};
use crate::{BlockDevice, IoError};

/// Writes until the power goes. **Destroys what is on the device.**
///
/// Round 0 fills up to 256 sectors in the middle of the device. Each further round writes some of them and
/// makes that durable. It uses a flush, a durable write, or a plain write where the geometry states no
/// volatile cache. After each round `acknowledged` is called with its number. Bring the number out of reach
/// of the power cut before it returns: by a UART to a host, or in memory that is kept. The next round begins
/// when it has returned.
///
/// The `seed` must be another one for each run, so that what an earlier run left is not taken for this one's.
/// Returns `Ok` after `rounds` rounds if the power did not go.
///
/// # Errors
/// An operation that failed, as it may do when the power goes.
pub fn destroy_until_cut<D: BlockDevice>(
    device: &mut D,
    memory: &mut [u8],
    seed: u64,
    rounds: u32,
    acknowledged: &mut dyn FnMut(u32),
) -> Result<(), Finding> {
    let mut probe = Probe::new(device, memory, seed)?;
    fill(&mut probe)?;
    acknowledged(0);
    for number in 1..=rounds.min(ROUNDS_MAX) {
        run_round(&mut probe, number)?;
        acknowledged(number);
    }
    Ok(())
}

/// Writes the whole area.
fn fill<D: BlockDevice>(probe: &mut Probe<'_, D>) -> Result<(), Finding> {
    let area = Area::new(probe.geometry());
    for at in (0..area.sectors).step_by(probe.sectors_max()) {
        let sectors = probe.sectors_max().min(area.sectors - at);
        probe.write(Step::Write, area.start + at as u64, sectors, 0)?;
    }
    probe.flush()
}

fn run_round<D: BlockDevice>(probe: &mut Probe<'_, D>, number: u32) -> Result<(), Finding> {
    let area = Area::new(probe.geometry());
    let round = area.round(probe.seed, number);
    let step = if round.settled == Step::Flush { Step::Write } else { round.settled };
    for (write, version) in round.writes() {
        probe.write(step, area.start + write.at as u64, write.sectors, version)?;
    }
    if round.settled == Step::Flush { probe.flush() } else { Ok(()) }
}

/// What a power cut left, where nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct AfterCut {
    /// The last round that must be there, and is.
    pub durable_round: u32,
    /// Sectors that hold neither old nor new contents, or cannot be read: all in tear units that were being
    /// written. With none in many cuts the power may never have gone in a write.
    pub damaged_sectors: usize,
}

/// Checks what [`destroy_until_cut`] left, after the power went and came back. Changes nothing on the device.
///
/// `acknowledged` is the last round that was reported. Without one, only those rounds are demanded that the
/// device itself shows to be durable: all before the newest round that left something. A flush that does
/// nothing is then seen only if writes were lost out of their order.
///
/// # Errors
/// The [`Finding`] that is nearest to the cause.
pub fn check_after_cut<D: BlockDevice>(
    device: &mut D,
    memory: &mut [u8],
    seed: u64,
    acknowledged: Option<u32>,
) -> Result<AfterCut, Finding> {
    examine(device, memory, seed, acknowledged)?.map_err(|suspicion| suspicion.finding)
}

/// What was found that is right, or the heaviest suspicion.
fn examine<D: BlockDevice>(
    device: &mut D,
    memory: &mut [u8],
    seed: u64,
    acknowledged: Option<u32>,
) -> Result<Result<AfterCut, Suspicion>, Finding> {
    let mut probe = Probe::new(device, memory, seed)?;
    let area = Area::new(probe.geometry());
    let (newest, whole) = survey(&mut probe, &area)?;
    // The newest may have been under way; the one before it was done.
    let shown = newest.map(|round| round.saturating_sub(1));
    let acknowledged = acknowledged.map(|round| round.min(ROUNDS_MAX));
    let Some(durable_round) = shown.max(acknowledged) else { return Err(Finding::NothingToCheck) };
    let must = Must::after(seed, area, probe.geometry(), durable_round, whole);
    let (mut damaged_sectors, mut heaviest) = (0, None);
    for at in 0..area.sectors {
        match must.check(&mut probe, at) {
            Ok(is_damaged) => damaged_sectors += usize::from(is_damaged),
            Err(suspicion) => suspicion.add(&mut heaviest),
        }
    }
    Ok(heaviest.map_or(Ok(AfterCut { durable_round, damaged_sectors }), Err))
}

/// The newest round of this run that left a sector, and how many sectors of this run are whole.
fn survey<D: BlockDevice>(probe: &mut Probe<'_, D>, area: &Area) -> Result<(Option<u32>, usize), Finding> {
    let (mut newest, mut whole) = (None, 0);
    for at in 0..area.sectors {
        let lba = area.start + at as u64;
        match probe.try_read(lba, 1)? {
            Ok(()) => {}
            // As a torn sector may answer.
            Err(IoError::Media) => continue,
            Err(error) => return Err(Finding::NotBack { error }),
        }
        if let Some(stamp) = Stamp::read(probe.sector(0))
            && stamp.seed == probe.seed
            && stamp.lba == lba
        {
            newest = newest.max(Some(round_of(stamp.version)));
            whole += 1;
        }
    }
    Ok((newest, whole))
}

/// Something that can take the power away from a device and give it back: a relay or transistor on a test
/// board, an emulator.
pub trait PowerSwitch {
    /// The device.
    type Device: BlockDevice;

    /// The device, powered and opened.
    fn device(&mut self) -> &mut Self::Device;

    /// Prepares that the power goes soon, while the device works. The moment follows from `draw`, any number:
    /// so many microseconds from now, or so many operations. When it has gone operations fail, and do not
    /// hang. `false` if that cannot be done: the power then goes between two operations only, which shows no
    /// torn write.
    fn arm(&mut self, draw: u32) -> bool {
        let _ = draw;
        false
    }

    /// Takes the power away, unless it is gone, gives it back, and opens the device anew. It stays away for
    /// as long as the device needs to forget: capacitors hold it for a second.
    ///
    /// # Errors
    /// The device does not answer any more.
    fn cut(&mut self) -> Result<(), IoError>;
}

/// What was done by [`destroy_and_cut`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Cuts {
    /// Times that the power went.
    pub cuts: u32,
    /// How often an operation was interrupted by it.
    pub interrupted: u32,
    /// How often a sector was damaged by it, as it may be: with none, torn writes were not tried.
    pub torn: u32,
}

/// Rounds before the power is taken away, where it did not go by itself.
const ROUNDS_PER_CUT: usize = 64;

/// Cuts after the first with a finding. One alone may leave in doubt whether a sector was lost or torn, and
/// how large the torn unit is.
const CUTS_IN_DOUBT: u32 = 32;

/// Cuts the power `cuts` times and checks what is left after each. **Destroys what is on the device.**
///
/// # Errors
/// The [`Finding`] that is nearest to the cause, of the first cut that shows one and up to 32 more.
pub fn destroy_and_cut<S: PowerSwitch>(
    switch: &mut S,
    memory: &mut [u8],
    seed: u64,
    cuts: u32,
) -> Result<Cuts, Finding> {
    let (mut done, mut end, mut heaviest) = (Cuts::default(), cuts, None);
    while done.cuts < end {
        let seed = mix(seed ^ u64::from(done.cuts) << 32);
        match cut_once(switch, memory, seed, &mut done) {
            Ok(Ok(after)) => done.torn += u32::from(after.damaged_sectors > 0),
            Ok(Err(suspicion)) => {
                if heaviest.is_none() {
                    end = end.min(done.cuts + CUTS_IN_DOUBT);
                }
                suspicion.add(&mut heaviest);
            }
            Err(finding) if heaviest.is_none() => return Err(finding),
            Err(_) => break,
        }
    }
    heaviest.map_or(Ok(done), |suspicion| Err(suspicion.finding))
}

/// Fills the area, writes rounds until the power goes, and looks at what is left.
fn cut_once<S: PowerSwitch>(
    switch: &mut S,
    memory: &mut [u8],
    seed: u64,
    done: &mut Cuts,
) -> Result<Result<AfterCut, Suspicion>, Finding> {
    let mut draw = Draw(seed);
    fill(&mut Probe::new(switch.device(), memory, seed)?)?;
    let is_armed = switch.arm(draw.next() as u32);
    let rounds = 1 + draw.below(ROUNDS_PER_CUT) as u32;
    let mut probe = Probe::new(switch.device(), memory, seed)?;
    let mut acknowledged = 0;
    for number in 1..=rounds {
        match run_round(&mut probe, number) {
            Ok(()) => acknowledged = number,
            // Only an operation that the power was taken from may fail.
            Err(Finding::Failed { .. }) if is_armed => {
                done.interrupted += 1;
                break;
            }
            Err(finding) => return Err(finding),
        }
    }
    switch.cut().map_err(|error| Finding::NotBack { error })?;
    done.cuts += 1;
    examine(switch.device(), memory, seed, Some(acknowledged))
}
