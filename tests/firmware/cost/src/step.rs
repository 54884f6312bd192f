//! What an instruction does, as far as the stack and calls depend on it, on any processor.

/// A register by its number: 0 to 15 of Thumb, 0 to 31 of RISC-V.
pub(crate) type Register = u8;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its length in bytes.
    pub(crate) bytes: u32,
    /// What it does to registers, in this order.
    pub(crate) effects: Vec<Effect>,
    /// What comes after it.
    pub(crate) flow: Flow,
    /// Whether it is done only where a condition holds.
    pub(crate) conditional: bool,
}

/// What happens to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Takes a constant.
    Set(Register, u32),
    /// Takes the word that the program has at this address.
    SetFrom(Register, u32),
    /// Takes another register's value and a constant.
    Add(Register, Register, i32),
    /// Takes another register's value, shifted to the left by so many bits.
    Shift(Register, Register, u32),
    /// Takes the sum of two registers.
    Sum(Register, Register, Register),
    /// Takes the first register's value less the second's.
    Difference(Register, Register, Register),
    /// Takes the address of one of the elements that begin at a register's value.
    Element(Register, Register),
    /// Takes the word in memory at a register's value and a constant.
    Load(Register, Register, i32),
    /// Takes a value that is of no interest.
    Clobber(Register),
    /// Is stored in memory.
    Store(Register),
}

/// What comes after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next instruction.
    Next,
    /// The instruction at an address.
    Jump(u32),
    /// That or the next one.
    Branch(u32),
    /// A function, then the next instruction.
    Call(u32),
    /// The function whose address a register has, then the next instruction.
    CallRegister(Register),
    /// The place whose address a register has: a function's, or one in a table of this function's.
    JumpRegister(Register),
    /// One of the places in a table of this function.
    Table,
    /// The caller.
    Return,
    /// Nothing.
    Stop,
}

impl Step {
    /// An instruction that the next one follows.
    pub(crate) fn new(bytes: u32, effects: Vec<Effect>) -> Self {
        Self { bytes, effects, flow: Flow::Next, conditional: false }
    }

    /// An instruction that something else follows.
    pub(crate) fn flow(bytes: u32, flow: Flow) -> Self {
        Self { bytes, effects: Vec::new(), flow, conditional: false }
    }

    /// Another thing follows it.
    pub(crate) fn then(self, flow: Flow) -> Self {
        Self { flow, ..self }
    }
}

/// The lowest `bits` of a number, as one with a sign.
pub(crate) fn signed(value: u32, bits: u32) -> i32 {
    ((value << (32 - bits)) as i32) >> (32 - bits)
}

/// The bits of a number from `low` on, as many as `count`.
pub(crate) fn bits(value: u32, low: u32, count: u32) -> u32 {
    (value >> low) & ((1 << count) - 1)
}
