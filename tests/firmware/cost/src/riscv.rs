//! RISC-V of 32 bits, with compressed instructions (RV32IMAC).
//!
//! The encodings are those of "The RISC-V Instruction Set Manual, Volume I", chapters 2 (RV32I) and 27 ("C").

use crate::step::{Effect, Flow, Register, Step, bits, signed};

/// The stack pointer.
pub(crate) const STACK_POINTER: Register = 2;
/// Registers in which arguments are.
pub(crate) const ARGUMENTS: std::ops::Range<Register> = 10..18;
/// Registers that a call does not keep.
pub(crate) const CALL_CLOBBERS: [Register; 16] = [1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31];

const ZERO: Register = 0;
/// Where a call leaves its return address; the second is for calls in prologues and of outlined code.
const LINKS: [Register; 2] = [1, 5];

/// The instruction at an address.
pub(crate) fn decode(address: u32, code: &[u8]) -> Option<Step> {
    let low = u32::from(u16::from_le_bytes(code.get(..2)?.try_into().ok()?));
    if low & 3 != 3 {
        return Some(compressed(address, low));
    }
    let word = u32::from_le_bytes(code.get(..4)?.try_into().ok()?);
    Some(whole(address, word))
}

fn whole(address: u32, word: u32) -> Step {
    let rd = bits(word, 7, 5) as Register;
    let rs1 = bits(word, 15, 5) as Register;
    let rs2 = bits(word, 20, 5) as Register;
    let immediate = signed(word >> 20, 12);
    let effects = match bits(word, 0, 7) {
        0x37 => vec![set(rd, word & !0xFFF)],
        0x17 => vec![set(rd, address.wrapping_add(word & !0xFFF))],
        0x13 if bits(word, 12, 3) == 0 => vec![add(rd, rs1, immediate)],
        0x13 if word & 0xFE00_7000 == 0x1000 => vec![Effect::Shift(rd, rs1, u32::from(rs2))],
        0x33 if word & 0xFE00_7000 == 0 => vec![sum(rd, rs1, rs2)],
        0x33 if word & 0xFE00_7000 == 0x4000_0000 => vec![Effect::Difference(rd, rs1, rs2)],
        0x03 if bits(word, 12, 3) == 2 => vec![Effect::Load(rd, rs1, immediate)],
        0x23 => vec![Effect::Store(rs2)],
        0x63 => return Step::flow(4, Flow::Branch(address.wrapping_add(branch_offset(word)))),
        0x6F => return Step::flow(4, jump(rd, address.wrapping_add(jump_offset(word)))),
        0x67 => return jump_register(4, rd, rs1, immediate),
        0x0F => vec![],
        _ => vec![Effect::Clobber(rd)],
    };
    Step::new(4, keep_zero(effects))
}

fn compressed(address: u32, half: u32) -> Step {
    let rd = bits(half, 7, 5) as Register;
    let rs2 = bits(half, 2, 5) as Register;
    // The three-bit fields name x8 to x15.
    let short = |low| bits(half, low, 3) as Register + 8;
    let immediate = signed(bits(half, 12, 1) << 5 | bits(half, 2, 5), 6);
    let effects = match (bits(half, 0, 2), bits(half, 13, 3)) {
        (0, 0) if half == 0 => return Step::flow(2, Flow::Stop),
        (0, 0) => {
            let offset = bits(half, 7, 4) << 6
                | bits(half, 11, 2) << 4
                | bits(half, 5, 1) << 3
                | bits(half, 6, 1) << 2;
            vec![add(short(2), STACK_POINTER, offset as i32)]
        }
        (0, 2) => {
            let offset = bits(half, 5, 1) << 6 | bits(half, 10, 3) << 3 | bits(half, 6, 1) << 2;
            vec![Effect::Load(short(2), short(7), offset as i32)]
        }
        (0, 6) => vec![Effect::Store(short(2))],
        (1, 0) => vec![add(rd, rd, immediate)],
        (1, 1) => return Step::flow(2, Flow::Call(address.wrapping_add(short_jump_offset(half)))),
        (1, 2) => vec![set(rd, immediate as u32)],
        (1, 3) if rd == STACK_POINTER => {
            let high = bits(half, 12, 1) << 9 | bits(half, 3, 2) << 7 | bits(half, 5, 1) << 6;
            let offset = signed(high | bits(half, 2, 1) << 5 | bits(half, 6, 1) << 4, 10);
            vec![add(rd, rd, offset)]
        }
        (1, 3) => vec![set(rd, (immediate as u32) << 12)],
        (1, 4) if half & 0x1C60 == 0x0C00 => vec![Effect::Difference(short(7), short(7), short(2))],
        (1, 4) => vec![Effect::Clobber(short(7))],
        (1, 5) => return Step::flow(2, Flow::Jump(address.wrapping_add(short_jump_offset(half)))),
        (1, 6 | 7) => return Step::flow(2, Flow::Branch(address.wrapping_add(short_branch_offset(half)))),
        (2, 0) => vec![Effect::Shift(rd, rd, u32::from(rs2))],
        (2, 2) => {
            let offset = bits(half, 2, 2) << 6 | bits(half, 12, 1) << 5 | bits(half, 4, 3) << 2;
            vec![Effect::Load(rd, STACK_POINTER, offset as i32)]
        }
        (2, 4) => match (bits(half, 12, 1), rd, rs2) {
            (0, _, 0) => return jump_register(2, ZERO, rd, 0),
            (0, ..) => vec![add(rd, rs2, 0)],
            // A breakpoint: what a debugger answers comes back.
            (_, 0, 0) => vec![],
            (_, _, 0) => return jump_register(2, LINKS[0], rd, 0),
            _ => vec![sum(rd, rd, rs2)],
        },
        (2, 6) => vec![Effect::Store(rs2)],
        _ => vec![],
    };
    Step::new(2, keep_zero(effects))
}

fn jump(link: Register, target: u32) -> Flow {
    if link == ZERO { Flow::Jump(target) } else { Flow::Call(target) }
}

fn jump_register(bytes: u32, link: Register, to: Register, offset: i32) -> Step {
    if link == ZERO && LINKS.contains(&to) {
        return Step::flow(bytes, Flow::Return);
    }
    // The sum is what is called; the register itself is clobbered by any call.
    let effects = if offset == 0 { vec![] } else { vec![add(to, to, offset)] };
    let flow = if link == ZERO { Flow::JumpRegister(to) } else { Flow::CallRegister(to) };
    Step::new(bytes, effects).then(flow)
}

fn branch_offset(word: u32) -> u32 {
    let offset =
        bits(word, 31, 1) << 12 | bits(word, 7, 1) << 11 | bits(word, 25, 6) << 5 | bits(word, 8, 4) << 1;
    signed(offset, 13) as u32
}

fn jump_offset(word: u32) -> u32 {
    let offset =
        bits(word, 31, 1) << 20 | bits(word, 12, 8) << 12 | bits(word, 20, 1) << 11 | bits(word, 21, 10) << 1;
    signed(offset, 21) as u32
}

fn short_jump_offset(half: u32) -> u32 {
    let high =
        bits(half, 12, 1) << 11 | bits(half, 8, 1) << 10 | bits(half, 9, 2) << 8 | bits(half, 6, 1) << 7;
    let low = bits(half, 7, 1) << 6 | bits(half, 2, 1) << 5 | bits(half, 11, 1) << 4 | bits(half, 3, 3) << 1;
    signed(high | low, 12) as u32
}

fn short_branch_offset(half: u32) -> u32 {
    let high = bits(half, 12, 1) << 8 | bits(half, 5, 2) << 6 | bits(half, 2, 1) << 5;
    signed(high | bits(half, 10, 2) << 3 | bits(half, 3, 2) << 1, 9) as u32
}

fn set(rd: Register, value: u32) -> Effect {
    Effect::Set(rd, value)
}

fn add(rd: Register, rs: Register, offset: i32) -> Effect {
    if rs == ZERO { set(rd, offset as u32) } else { Effect::Add(rd, rs, offset) }
}

fn sum(rd: Register, rs1: Register, rs2: Register) -> Effect {
    match (rs1, rs2) {
        (_, ZERO) => add(rd, rs1, 0),
        (ZERO, _) => add(rd, rs2, 0),
        _ => Effect::Sum(rd, rs1, rs2),
    }
}

/// Nothing changes the register that is always zero.
fn keep_zero(effects: Vec<Effect>) -> Vec<Effect> {
    let changes_zero = |effect: &Effect| match *effect {
        Effect::Set(rd, _) | Effect::SetFrom(rd, _) | Effect::Add(rd, ..) | Effect::Clobber(rd) => rd == ZERO,
        Effect::Sum(rd, ..) | Effect::Difference(rd, ..) | Effect::Load(rd, ..) => rd == ZERO,
        Effect::Element(rd, _) | Effect::Shift(rd, ..) => rd == ZERO,
        Effect::Store(_) => false,
    };
    effects.into_iter().filter(|effect| !changes_zero(effect)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instruction at address 0x1000, as an assembler encodes it.
    #[track_caller]
    fn check(code: &[u8], effects: &[Effect], flow: Flow) {
        let step = decode(0x1000, code).expect("an instruction is whole");
        assert_eq!((step.bytes as usize, &step.effects[..], step.flow), (code.len(), effects, flow));
    }

    #[test]
    fn stack_pointer_moves() {
        check(&[0x39, 0x71], &[Effect::Add(2, 2, -64)], Flow::Next); // addi sp, sp, -64
        check(&[0x61, 0x11], &[Effect::Add(2, 2, -8)], Flow::Next); // addi sp, sp, -8
        check(&[0x13, 0x01, 0x01, 0x81], &[Effect::Add(2, 2, -2032)], Flow::Next); // addi sp, sp, -2032
        check(&[0x33, 0x01, 0x51, 0x40], &[Effect::Difference(2, 2, 5)], Flow::Next); // sub sp, sp, t0
        check(&[0x16, 0x91], &[Effect::Sum(2, 2, 5)], Flow::Next); // add sp, sp, t0
        check(&[0x80, 0x00], &[Effect::Add(8, 2, 64)], Flow::Next); // addi s0, sp, 64
    }

    #[test]
    fn calls_and_jumps() {
        check(&[0xEF, 0x00, 0x00, 0x10], &[], Flow::Call(0x1100)); // jal ra, +256
        check(&[0xE7, 0x80, 0x40, 0x01], &[Effect::Add(1, 1, 20)], Flow::CallRegister(1)); // jalr ra, 20(ra)
        check(&[0x67, 0x00, 0x03, 0x00], &[], Flow::JumpRegister(6)); // jr t1
        check(&[0x82, 0x80], &[], Flow::Return); // ret
        check(&[0x82, 0x82], &[], Flow::Return); // jr t0
        check(&[0x82, 0x95], &[], Flow::CallRegister(11)); // jalr a1
        check(&[0x01, 0xA0], &[], Flow::Jump(0x1000)); // j .
        check(&[0xED, 0xBF], &[], Flow::Jump(0x0FFA)); // j -6
        check(&[0x63, 0x06, 0xB5, 0x00], &[], Flow::Branch(0x100C)); // beq a0, a1, +12
        check(&[0x75, 0xFD], &[], Flow::Branch(0x0FFC)); // bnez a0, -4... of the loop
    }

    #[test]
    fn constants_and_loads() {
        check(&[0x97, 0x10, 0x00, 0x00], &[Effect::Set(1, 0x2000)], Flow::Next); // auipc ra, 1
        check(&[0x37, 0x05, 0x00, 0x80], &[Effect::Set(10, 0x8000_0000)], Flow::Next); // lui a0, 0x80000
        check(&[0x4C, 0x45], &[Effect::Load(11, 10, 12)], Flow::Next); // lw a1, 12(a0)
        check(&[0x22, 0x05], &[Effect::Shift(10, 10, 8)], Flow::Next); // slli a0, a0, 8
        check(&[0x13, 0x00, 0x00, 0x00], &[], Flow::Next); // nop
    }
}
