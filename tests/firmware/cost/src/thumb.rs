//! Thumb, as Cortex-M processors have it: of 16 and of 32 bits.
//!
//! The encodings are those of the "ARMv7-M Architecture Reference Manual", sections A5.2 and A5.3.

use crate::step::{Effect, Flow, Register, Step, bits, signed};

/// The stack pointer.
pub(crate) const STACK_POINTER: Register = 13;
/// Registers in which arguments are.
pub(crate) const ARGUMENTS: std::ops::Range<Register> = 0..4;
/// Registers that a call does not keep.
pub(crate) const CALL_CLOBBERS: [Register; 6] = [0, 1, 2, 3, 12, LINK];

const LINK: Register = 14;
const PROGRAM_COUNTER: Register = 15;

/// Whether an instruction of 32 bits begins so.
fn is_wide(half: u32) -> bool {
    half >> 11 > 0b11100
}

/// The instruction at an address.
pub(crate) fn decode(address: u32, code: &[u8]) -> Option<Step> {
    let half = |at: usize| Some(u32::from(u16::from_le_bytes(code.get(at..at + 2)?.try_into().ok()?)));
    let first = half(0)?;
    Some(if is_wide(first) { wide(address, first, half(2)?) } else { narrow(address, first) })
}

/// How many instructions after this one depend on a condition.
pub(crate) fn conditions(code: &[u8]) -> u32 {
    match code {
        [mask, 0xBF, ..] if mask & 15 != 0 => 4 - (mask & 15).trailing_zeros(),
        _ => 0,
    }
}

fn narrow(address: u32, half: u32) -> Step {
    let reg = |low| bits(half, low, 3) as Register;
    let byte = bits(half, 0, 8);
    // The program counter is two instructions ahead.
    let here = address.wrapping_add(4);
    let effects = match half >> 11 {
        0b00000 if bits(half, 6, 5) == 0 => vec![Effect::Add(reg(0), reg(3), 0)],
        0b00011 => vec![match bits(half, 9, 2) {
            0 => Effect::Sum(reg(0), reg(3), reg(6)),
            1 => Effect::Difference(reg(0), reg(3), reg(6)),
            2 => Effect::Add(reg(0), reg(3), bits(half, 6, 3) as i32),
            _ => Effect::Add(reg(0), reg(3), -(bits(half, 6, 3) as i32)),
        }],
        0b00000 => vec![Effect::Shift(reg(0), reg(3), bits(half, 6, 5))],
        0b00001 | 0b00010 => vec![Effect::Clobber(reg(0))],
        0b00100 => vec![Effect::Set(reg(8), byte)],
        0b00101 => vec![],
        0b00110 => vec![Effect::Add(reg(8), reg(8), byte as i32)],
        0b00111 => vec![Effect::Add(reg(8), reg(8), -(byte as i32))],
        // Tests and comparisons change flags alone.
        0b01000 if half & 0x0400 == 0 && matches!(bits(half, 6, 4), 8 | 10 | 11) => vec![],
        0b01000 if half & 0x0400 == 0 => vec![Effect::Clobber(reg(0))],
        0b01000 => return high_registers(half),
        0b01001 => vec![Effect::SetFrom(reg(8), (here & !3).wrapping_add(byte * 4))],
        0b01010 | 0b01011 => match bits(half, 9, 3) {
            0..=2 => vec![Effect::Store(reg(0))],
            4 => vec![Effect::Element(reg(0), reg(3)), Effect::Load(reg(0), reg(0), 0)],
            _ => vec![Effect::Clobber(reg(0))],
        },
        0b01100 | 0b01110 | 0b10000 => vec![Effect::Store(reg(0))],
        0b01101 => vec![Effect::Load(reg(0), reg(3), bits(half, 6, 5) as i32 * 4)],
        0b01111 | 0b10001 => vec![Effect::Clobber(reg(0))],
        0b10010 => vec![Effect::Store(reg(8))],
        0b10011 => vec![Effect::Load(reg(8), STACK_POINTER, byte as i32 * 4)],
        0b10100 => vec![Effect::Set(reg(8), (here & !3).wrapping_add(byte * 4))],
        0b10101 => vec![Effect::Add(reg(8), STACK_POINTER, byte as i32 * 4)],
        0b10110 | 0b10111 => return miscellaneous(address, half),
        0b11000 => registers(byte).map(Effect::Store).chain([Effect::Clobber(reg(8))]).collect(),
        0b11001 => registers(byte).chain([reg(8)]).map(Effect::Clobber).collect(),
        0b11100 => return Step::flow(2, Flow::Jump(here.wrapping_add(signed(half << 1, 12) as u32))),
        _ => match bits(half, 8, 4) {
            14 => return Step::flow(2, Flow::Stop),
            15 => vec![],
            _ => return Step::flow(2, Flow::Branch(here.wrapping_add(signed(half << 1, 9) as u32))),
        },
    };
    Step::new(2, effects)
}

/// Instructions that reach all registers.
fn high_registers(half: u32) -> Step {
    let rd = (bits(half, 7, 1) << 3 | bits(half, 0, 3)) as Register;
    let rm = bits(half, 3, 4) as Register;
    match (bits(half, 8, 2), rd) {
        (0, PROGRAM_COUNTER) => Step::flow(2, Flow::Table),
        (0, _) => Step::new(2, vec![Effect::Sum(rd, rd, rm)]),
        (1, _) => Step::new(2, vec![]),
        (2, PROGRAM_COUNTER) => Step::flow(2, if rm == LINK { Flow::Return } else { Flow::JumpRegister(rm) }),
        (2, _) => Step::new(2, vec![Effect::Add(rd, rm, 0)]),
        _ if bits(half, 7, 1) == 1 => Step::flow(2, Flow::CallRegister(rm)),
        _ => Step::flow(2, if rm == LINK { Flow::Return } else { Flow::JumpRegister(rm) }),
    }
}

fn miscellaneous(address: u32, half: u32) -> Step {
    let list = bits(half, 0, 8);
    match bits(half, 8, 4) {
        0 => {
            let bytes = bits(half, 0, 7) as i32 * 4;
            let offset = if bits(half, 7, 1) == 0 { bytes } else { -bytes };
            Step::new(2, vec![Effect::Add(STACK_POINTER, STACK_POINTER, offset)])
        }
        1 | 3 | 9 | 11 => {
            let offset = bits(half, 9, 1) << 6 | bits(half, 3, 5) << 1;
            Step::flow(2, Flow::Branch(address.wrapping_add(4 + offset)))
        }
        2 | 10 => Step::new(2, vec![Effect::Clobber(bits(half, 0, 3) as Register)]),
        4 | 5 => push(2, list | bits(half, 8, 1) << LINK),
        12 | 13 => pop(2, list | bits(half, 8, 1) << PROGRAM_COUNTER),
        // A breakpoint: what a debugger answers is in the first register.
        14 => Step::new(2, vec![Effect::Clobber(0)]),
        _ => Step::new(2, vec![]),
    }
}

fn wide(address: u32, first: u32, second: u32) -> Step {
    let rn = bits(first, 0, 4) as Register;
    let rd = bits(second, 8, 4) as Register;
    let rt = bits(second, 12, 4) as Register;
    match first >> 9 {
        0b1110100 if first & 0x40 == 0 => multiple(first, rn, second),
        0b1110100 => dual(first, second, rn, rt, rd),
        0b1110101 => shifted_register(first, second, rn, rd),
        0b1110110 | 0b1110111 => coprocessor(first, second, rn, rt),
        0b1111000..=0b1111011 if second & 0x8000 != 0 => branch(address, first, second, rd),
        0b1111000..=0b1111011 => immediate(address, first, second, rn, rd),
        0b1111100 => single(address, first, second, rn, rt),
        // Products of 64 bits take two registers.
        0b1111101 if first & 0x0180 == 0x0180 => Step::new(4, vec![Effect::Clobber(rt), Effect::Clobber(rd)]),
        0b1111101 => Step::new(4, vec![Effect::Clobber(rd)]),
        _ => Step::new(4, vec![]),
    }
}

/// Several registers stored or loaded.
fn multiple(first: u32, rn: Register, list: u32) -> Step {
    let loads = first & 0x10 != 0;
    match (first & 0xFFF0, rn) {
        (0xE920, STACK_POINTER) => return push(4, list),
        (0xE8B0, STACK_POINTER) => return pop(4, list),
        _ => {}
    }
    let moved = registers(list).map(if loads { Effect::Clobber } else { Effect::Store });
    let base = (first & 0x20 != 0).then_some(Effect::Clobber(rn));
    let flow = if loads && list >> PROGRAM_COUNTER & 1 == 1 { Flow::Return } else { Flow::Next };
    Step::new(4, moved.chain(base).collect()).then(flow)
}

/// Two registers, exclusive accesses, table branches.
fn dual(first: u32, second: u32, rn: Register, rt: Register, rt2: Register) -> Step {
    if first & 0xFFF0 == 0xE8D0 && second & 0xFFE0 == 0xF000 {
        return Step::flow(4, Flow::Table);
    }
    let loads = first & 0x10 != 0;
    if first & 0x0120 == 0 {
        // Exclusive: a store says in a register whether it was done.
        let changed = if loads { rt } else { rt2 };
        let status = bits(second, 0, 4) as Register;
        let status = if status == PROGRAM_COUNTER { changed } else { status };
        return Step::new(4, vec![Effect::Clobber(changed), Effect::Clobber(status)]);
    }
    let moved = if loads { Effect::Clobber } else { Effect::Store };
    let mut effects = vec![moved(rt), moved(rt2)];
    if first & 0x20 != 0 {
        let bytes = bits(second, 0, 8) as i32 * 4;
        effects.push(Effect::Add(rn, rn, if first & 0x80 != 0 { bytes } else { -bytes }));
    }
    Step::new(4, effects)
}

fn shifted_register(first: u32, second: u32, rn: Register, rd: Register) -> Step {
    let rm = bits(second, 0, 4) as Register;
    let plain = second & 0x70F0 == 0;
    let effect = match bits(first, 5, 4) {
        _ if rd == PROGRAM_COUNTER => return Step::new(4, vec![]),
        2 if plain && rn == PROGRAM_COUNTER => Effect::Add(rd, rm, 0),
        8 if plain => Effect::Sum(rd, rn, rm),
        13 if plain => Effect::Difference(rd, rn, rm),
        8 => Effect::Element(rd, rn),
        _ => Effect::Clobber(rd),
    };
    Step::new(4, vec![effect])
}

/// Floating point. Registers of the core are changed by transfers from it.
fn coprocessor(first: u32, second: u32, rn: Register, rt: Register) -> Step {
    let bytes = bits(second, 0, 8) as i32 * 4;
    let effects = match first {
        _ if first & 0xFFBF == 0xED2D => vec![Effect::Add(STACK_POINTER, STACK_POINTER, -bytes)],
        _ if first & 0xFFBF == 0xECBD => vec![Effect::Add(STACK_POINTER, STACK_POINTER, bytes)],
        _ if first & 0xFFF0 == 0xEC50 => vec![Effect::Clobber(rt), Effect::Clobber(rn)],
        _ if first & 0xFF10 == 0xEE10 && second & 0x10 != 0 && rt != PROGRAM_COUNTER => {
            vec![Effect::Clobber(rt)]
        }
        _ if first & 0xFE20 == 0xEC20 => vec![Effect::Clobber(rn)],
        _ => vec![],
    };
    Step::new(4, effects)
}

fn branch(address: u32, first: u32, second: u32, rd: Register) -> Step {
    let here = address.wrapping_add(4);
    let sign = bits(first, 10, 1);
    let [j1, j2] = [bits(second, 13, 1), bits(second, 11, 1)];
    let far = || {
        let [i1, i2] = [j1, j2].map(|j| 1 ^ j ^ sign);
        let offset = sign << 24 | i1 << 23 | i2 << 22 | bits(first, 0, 10) << 12 | bits(second, 0, 11) << 1;
        here.wrapping_add(signed(offset, 25) as u32)
    };
    match second & 0x5000 {
        0x5000 => Step::flow(4, Flow::Call(far())),
        0x1000 => Step::flow(4, Flow::Jump(far())),
        _ if bits(first, 7, 3) != 7 => {
            let offset =
                sign << 20 | j2 << 19 | j1 << 18 | bits(first, 0, 6) << 12 | bits(second, 0, 11) << 1;
            Step::flow(4, Flow::Branch(here.wrapping_add(signed(offset, 21) as u32)))
        }
        _ if first & 0xFFF0 == 0xF7F0 => Step::flow(4, Flow::Stop),
        // A special register is read.
        _ if first & 0xFFE0 == 0xF3E0 => Step::new(4, vec![Effect::Clobber(rd)]),
        _ => Step::new(4, vec![]),
    }
}

/// Data processing with a constant.
fn immediate(address: u32, first: u32, second: u32, rn: Register, rd: Register) -> Step {
    let twelve = bits(first, 10, 1) << 11 | bits(second, 12, 3) << 8 | bits(second, 0, 8);
    let sixteen = bits(first, 0, 4) << 12 | twelve;
    let base = if rn == PROGRAM_COUNTER { Some(address.wrapping_add(4) & !3) } else { None };
    let plain = first & 0x200 != 0;
    let effect = match (plain, bits(first, 5, 4)) {
        (false, _) if rd == PROGRAM_COUNTER => return Step::new(4, vec![]),
        (false, 2) if rn == PROGRAM_COUNTER => Effect::Set(rd, expand(twelve)),
        (false, 8) => Effect::Add(rd, rn, expand(twelve) as i32),
        (false, 13) => Effect::Add(rd, rn, (expand(twelve) as i32).wrapping_neg()),
        (true, 0) => match base {
            Some(base) => Effect::Set(rd, base.wrapping_add(twelve)),
            None => Effect::Add(rd, rn, twelve as i32),
        },
        (true, 5) => match base {
            Some(base) => Effect::Set(rd, base.wrapping_sub(twelve)),
            None => Effect::Add(rd, rn, -(twelve as i32)),
        },
        (true, 2) => Effect::Set(rd, sixteen),
        // The upper half of what a `movw` has set.
        (true, 6) => Effect::Add(rd, rd, (sixteen << 16) as i32),
        _ => Effect::Clobber(rd),
    };
    Step::new(4, vec![effect])
}

/// The constant that twelve bits stand for.
fn expand(twelve: u32) -> u32 {
    let byte = twelve & 0xFF;
    match twelve >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte << 24 | byte << 16 | byte << 8 | byte,
        _ => (0x80 | twelve & 0x7F).rotate_right(twelve >> 7),
    }
}

/// One register stored or loaded.
fn single(address: u32, first: u32, second: u32, rn: Register, rt: Register) -> Step {
    let loads = first & 0x10 != 0;
    let word = bits(first, 5, 2) == 2;
    if !loads {
        return Step::new(4, [Effect::Store(rt)].into_iter().chain(write_back(first, second, rn)).collect());
    }
    // Loads of less than a word into the program counter are hints.
    if rt == PROGRAM_COUNTER && !word {
        return Step::new(4, vec![]);
    }
    let offset = bits(second, 0, 12);
    let effects = match () {
        () if !word => vec![Effect::Clobber(rt)],
        () if rn == PROGRAM_COUNTER => {
            let here = address.wrapping_add(4) & !3;
            let at = if first & 0x80 != 0 { here.wrapping_add(offset) } else { here.wrapping_sub(offset) };
            vec![Effect::SetFrom(rt, at)]
        }
        () if first & 0x80 != 0 => vec![Effect::Load(rt, rn, offset as i32)],
        () if second & 0x0F00 == 0x0C00 => vec![Effect::Load(rt, rn, -(bits(second, 0, 8) as i32))],
        () if second & 0x0800 == 0 => vec![Effect::Element(rt, rn), Effect::Load(rt, rt, 0)],
        () => vec![Effect::Clobber(rt)],
    };
    let mut effects: Vec<_> = effects.into_iter().chain(write_back(first, second, rn)).collect();
    if rt != PROGRAM_COUNTER {
        return Step::new(4, effects);
    }
    effects.retain(|effect| matches!(effect, Effect::Add(..)));
    Step::new(4, effects).then(if rn == STACK_POINTER { Flow::Return } else { Flow::Table })
}

/// What an access adds to its base.
fn write_back(first: u32, second: u32, rn: Register) -> Option<Effect> {
    let bytes = bits(second, 0, 8) as i32;
    let writes = first & 0x80 == 0 && rn != PROGRAM_COUNTER && second & 0x0900 == 0x0900;
    writes.then_some(Effect::Add(rn, rn, if second & 0x0200 != 0 { bytes } else { -bytes }))
}

fn push(bytes: u32, list: u32) -> Step {
    let stored = registers(list).map(Effect::Store);
    let lower = Effect::Add(STACK_POINTER, STACK_POINTER, -(list.count_ones() as i32 * 4));
    Step::new(bytes, stored.chain([lower]).collect())
}

fn pop(bytes: u32, list: u32) -> Step {
    let loaded = registers(list & !(1 << PROGRAM_COUNTER)).map(Effect::Clobber);
    let raise = Effect::Add(STACK_POINTER, STACK_POINTER, list.count_ones() as i32 * 4);
    let flow = if list >> PROGRAM_COUNTER == 1 { Flow::Return } else { Flow::Next };
    Step::new(bytes, loaded.chain([raise]).collect()).then(flow)
}

fn registers(list: u32) -> impl Iterator<Item = Register> {
    (0..16).filter(move |register| list >> register & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instruction at address 0x1000, as an assembler encodes it.
    #[track_caller]
    fn check(halves: &[u16], effects: &[Effect], flow: Flow) {
        let code: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let step = decode(0x1000, &code).expect("an instruction is whole");
        assert_eq!((step.bytes as usize, &step.effects[..], step.flow), (code.len(), effects, flow));
    }

    #[test]
    fn the_stack_pointer_moves() {
        let stored = |list: &[Register]| list.iter().copied().map(Effect::Store).collect::<Vec<_>>();
        let lower = |bytes: i32| vec![Effect::Add(13, 13, -bytes)];
        check(&[0xB5D0], &[stored(&[4, 6, 7, 14]), lower(16)].concat(), Flow::Next); // push {r4, r6, r7, lr}
        check(&[0xE92D, 0x0F00], &[stored(&[8, 9, 10, 11]), lower(16)].concat(), Flow::Next); // push.w {r8-r11}
        check(&[0xB082], &lower(8), Flow::Next); // sub sp, #8
        check(&[0xF5AD, 0x6D80], &lower(1024), Flow::Next); // sub.w sp, sp, #1024
        check(&[0xF6AD, 0x0D24], &lower(2084), Flow::Next); // subw sp, sp, #2084
        check(&[0xED2D, 0x8B04], &lower(16), Flow::Next); // vpush {d8, d9}
        check(&[0x44A5], &[Effect::Sum(13, 13, 4)], Flow::Next); // add sp, r4
        check(&[0x46BD], &[Effect::Add(13, 7, 0)], Flow::Next); // mov sp, r7
        check(&[0xAF03], &[Effect::Add(7, 13, 12)], Flow::Next); // add r7, sp, #12
        check(&[0xF84D, 0xBD04], &[Effect::Store(11), Effect::Add(13, 13, -4)], Flow::Next); // push.w {r11}
        check(&[0xF85D, 0xBB04], &[Effect::Clobber(11), Effect::Add(13, 13, 4)], Flow::Next); // pop.w {r11}
    }

    #[test]
    fn calls_and_jumps() {
        check(&[0xF000, 0xF87E], &[], Flow::Call(0x1100)); // bl +252
        check(&[0xF7FF, 0xFFFE], &[], Flow::Call(0x1000)); // bl .
        check(&[0xF000, 0xB87E], &[], Flow::Jump(0x1100)); // b.w +252
        check(&[0xF000, 0x807E], &[], Flow::Branch(0x1100)); // beq.w +252
        check(&[0xE7FE], &[], Flow::Jump(0x1000)); // b .
        check(&[0xD1FE], &[], Flow::Branch(0x1000)); // bne .
        check(&[0xB108], &[], Flow::Branch(0x1006)); // cbz r0, +2
        check(&[0x47A8], &[], Flow::CallRegister(5)); // blx r5
        check(&[0x4770], &[], Flow::Return); // bx lr
        check(&[0xBD80], &[Effect::Clobber(7), Effect::Add(13, 13, 8)], Flow::Return); // pop {r7, pc}
        check(&[0xE8DF, 0xF003], &[], Flow::Table); // tbb [pc, r3]
        check(&[0xDEFE], &[], Flow::Stop); // udf
    }

    #[test]
    fn constants_and_loads() {
        check(&[0x4D02], &[Effect::SetFrom(5, 0x100C)], Flow::Next); // ldr r5, [pc, #8]
        check(&[0xF8DF, 0x8008], &[Effect::SetFrom(8, 0x100C)], Flow::Next); // ldr.w r8, [pc, #8]
        check(&[0xF241, 0x2334], &[Effect::Set(3, 0x1234)], Flow::Next); // movw r3, #0x1234
        check(&[0xF44F, 0x7100], &[Effect::Set(1, 512)], Flow::Next); // mov.w r1, #512
        check(&[0x6909], &[Effect::Load(1, 1, 16)], Flow::Next); // ldr r1, [r1, #16]
        check(&[0xE9D0, 0x0130], &[Effect::Clobber(0), Effect::Clobber(1)], Flow::Next); // ldrd r0, r1, [r0, #192]
    }

    #[test]
    fn a_condition_holds_for_the_next_instructions() {
        assert_eq!(conditions(&[0x08, 0xBF]), 1); // it eq
        assert_eq!(conditions(&[0x01, 0xBF]), 4); // itttt eq
        assert_eq!(conditions(&[0x00, 0xBF]), 0); // nop
    }
}
