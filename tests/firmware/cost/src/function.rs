//! How deep one function makes the stack, and which functions it calls at which depth. All its paths are
//! followed at once.

use crate::image::Image;
use crate::step::{Effect, Flow, Register, Step};
use std::collections::{BTreeMap, BTreeSet};

/// A stack that one function makes deeper than this grows in a loop.
const DEPTH_MAX: i32 = 1 << 20;

/// What is known of a function.
#[derive(Debug, Default)]
pub(crate) struct Function {
    /// The most bytes of stack that it takes itself.
    pub(crate) depth: u32,
    /// Its calls, jumps into other functions included.
    pub(crate) calls: BTreeSet<Call>,
    /// Functions whose addresses it hands on, so that others may call them.
    pub(crate) taken: BTreeSet<u32>,
}

/// A call of a function by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    /// Bytes of stack that the caller has taken then.
    pub(crate) depth: u32,
    /// The instruction's address.
    pub(crate) at: u32,
    /// The called function.
    pub(crate) callee: Callee,
}

/// What a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// This function.
    Known(u32),
    /// One whose address was loaded from this many bytes behind an unknown place.
    Slot(i32),
    /// Any whose address is taken.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Unknown,
    Constant(u32),
    /// A function's address.
    Code(u32),
    /// So many bytes above what the stack pointer was when the function began.
    Stack(i32),
    /// A place at or behind a constant address.
    Element(u32),
    /// The word at such a place.
    FromTable,
    /// The word so many bytes behind an unknown place.
    Slot(i32),
}

type Registers = [Value; 32];

/// Follows a function.
///
/// # Errors
/// Where and why it cannot be followed.
pub(crate) fn follow(image: &Image, start: u32) -> Result<Function, String> {
    let mut registers = [Value::Unknown; 32];
    registers[usize::from(image.processor().stack_pointer())] = Value::Stack(0);
    let mut walk = Walk::new(image, start);
    walk.run(&registers)?;
    let called: BTreeSet<u32> = walk.function.calls.iter().filter_map(|call| call.callee.known()).collect();
    walk.function.taken.extend(walk.loaded.difference(&called));
    Ok(walk.function)
}

impl Callee {
    /// Whether the program does not say which function it is.
    pub(crate) fn is_assumed(self) -> bool {
        self.known().is_none()
    }

    fn known(self) -> Option<u32> {
        match self {
            Self::Known(function) => Some(function),
            Self::Slot(_) | Self::Any => None,
        }
    }
}

struct Walk<'i> {
    image: &'i Image,
    start: u32,
    end: u32,
    /// Registers before each instruction that was reached.
    states: BTreeMap<u32, Registers>,
    /// Instructions whose registers have changed.
    waiting: BTreeSet<u32>,
    /// Registers where the function jumps by a table.
    tables: Option<Registers>,
    /// Registers when it returns.
    exits: Option<Registers>,
    /// Functions whose addresses it has in registers.
    loaded: BTreeSet<u32>,
    function: Function,
}

impl<'i> Walk<'i> {
    fn new(image: &'i Image, start: u32) -> Self {
        Self {
            image,
            start,
            end: image.end(start),
            states: BTreeMap::new(),
            waiting: BTreeSet::new(),
            tables: None,
            exits: None,
            loaded: BTreeSet::new(),
            function: Function::default(),
        }
    }

    /// Follows all paths from the function's beginning.
    fn run(&mut self, registers: &Registers) -> Result<(), String> {
        let steps = self.steps();
        self.reach(self.start, registers);
        loop {
            while let Some(address) = self.waiting.pop_first() {
                self.take(address, &steps)?;
            }
            // Where tables lead is not read: to all that nothing else leads to.
            let Some(registers) = self.tables else { return Ok(()) };
            let missed = steps.keys().copied().find(|address| !self.states.contains_key(address));
            let Some(address) = missed else { return Ok(()) };
            self.reach(address, &registers);
        }
    }

    /// Follows code that several functions share as if it were this one's own, and says with what registers
    /// it returns.
    fn share(&mut self, start: u32, registers: &Registers) -> Result<Option<Registers>, String> {
        let mut walk = Walk::new(self.image, start);
        walk.run(registers)?;
        self.function.depth = self.function.depth.max(walk.function.depth);
        self.function.calls.extend(walk.function.calls);
        self.function.taken.extend(walk.function.taken);
        self.loaded.extend(walk.loaded);
        Ok(walk.exits)
    }

    /// The function's instructions, one after the other.
    fn steps(&self) -> BTreeMap<u32, Step> {
        let mut steps = BTreeMap::new();
        let (mut address, mut conditional) = (self.start, 0);
        while address < self.end {
            let Some(mut step) = self.image.step(address) else {
                // Data amid code; it is aligned as the shortest instruction.
                (address, conditional) = (address + 2, 0);
                continue;
            };
            step.conditional = conditional > 0;
            conditional = self.image.conditions(address).max(u32::saturating_sub(conditional, 1));
            let bytes = step.bytes;
            steps.insert(address, step);
            address += bytes;
        }
        steps
    }

    /// The instruction at an address is met with these registers.
    fn reach(&mut self, address: u32, registers: &Registers) {
        let known = self.states.get(&address);
        let joined = known.map_or(*registers, |known| self.join(known, registers));
        if known != Some(&joined) {
            self.states.insert(address, joined);
            self.waiting.insert(address);
        }
    }

    /// What is known where two paths meet. Of two stack pointers it is the deeper.
    fn join(&self, one: &Registers, other: &Registers) -> Registers {
        let stack_pointer = usize::from(self.image.processor().stack_pointer());
        core::array::from_fn(|register| match (one[register], other[register]) {
            (one, other) if one == other => one,
            (Value::Stack(one), Value::Stack(other)) if register == stack_pointer => {
                Value::Stack(one.min(other))
            }
            _ => Value::Unknown,
        })
    }

    fn take(&mut self, address: u32, steps: &BTreeMap<u32, Step>) -> Result<(), String> {
        let (Some(step), Some(before)) = (steps.get(&address), self.states.get(&address).copied()) else {
            // Data: what was before it does not return.
            return Ok(());
        };
        let mut after = before;
        for effect in &step.effects {
            self.apply(effect, &mut after);
            let lowest = self.depth(address, &after)?;
            self.function.depth = self.function.depth.max(lowest);
        }
        let depth = self.depth(address, &after)?;
        let next = address + step.bytes;
        let goes_on = step.conditional;
        if step.conditional {
            after = self.join(&before, &after);
        }
        match step.flow {
            Flow::Next => self.go(address, next, depth, &after)?,
            Flow::Jump(to) => self.go(address, to, depth, &after)?,
            Flow::Branch(to) => {
                self.go(address, to, depth, &after)?;
                self.go(address, next, depth, &after)?;
            }
            // ARMv6-M has no other jump that reaches so far.
            Flow::Call(to) if (self.start + 1..self.end).contains(&to) => self.reach(to, &after),
            Flow::Call(to) if self.image.is_shared(to) => {
                if let Some(registers) = self.share(to, &after)? {
                    self.reach(next, &registers);
                }
            }
            Flow::Call(to) => {
                self.call(address, depth, Callee::Known(to), &after);
                self.come_back(next, &after);
            }
            Flow::CallRegister(register) => {
                let callee = self.callee(register, &after);
                self.call(address, depth, callee, &after);
                self.come_back(next, &after);
            }
            Flow::JumpRegister(register) => match after[usize::from(register)] {
                Value::FromTable => self.jump_by_table(&after),
                _ => {
                    let callee = self.callee(register, &after);
                    self.call_last(address, depth, callee, &after);
                }
            },
            Flow::Table => self.jump_by_table(&after),
            Flow::Return => {
                self.hand_on(None, &after);
                self.leave(&after);
            }
            Flow::Stop => {}
        }
        if goes_on && !matches!(step.flow, Flow::Next) {
            self.go(address, next, depth, &after)?;
        }
        Ok(())
    }

    /// The bytes of stack that the function has taken.
    fn depth(&self, address: u32, registers: &Registers) -> Result<u32, String> {
        match registers[usize::from(self.image.processor().stack_pointer())] {
            Value::Stack(above) if above >= -DEPTH_MAX => Ok(u32::try_from(-above).unwrap_or(0)),
            Value::Stack(_) => Err(format!("{address:#x}: the stack grows without end")),
            other => Err(format!("{address:#x}: the stack pointer is {other:?}")),
        }
    }

    fn go(&mut self, from: u32, to: u32, depth: u32, registers: &Registers) -> Result<(), String> {
        if (self.start..self.end).contains(&to) {
            self.reach(to, registers);
        } else if self.image.is_shared(to) {
            if let Some(registers) = self.share(to, registers)? {
                self.leave(&registers);
            }
        } else {
            self.call_last(from, depth, Callee::Known(to), registers);
        }
        Ok(())
    }

    /// After a call. One that is the last instruction does not return.
    fn come_back(&mut self, next: u32, registers: &Registers) {
        if next < self.end {
            self.reach(next, &self.after_call(registers));
        }
    }

    /// A jump into another function, which returns to this one's caller.
    fn call_last(&mut self, at: u32, depth: u32, callee: Callee, registers: &Registers) {
        self.call(at, depth, callee, registers);
        self.leave(&self.after_call(registers));
    }

    fn leave(&mut self, registers: &Registers) {
        self.exits = Some(self.exits.map_or(*registers, |known| self.join(&known, registers)));
    }

    fn after_call(&self, registers: &Registers) -> Registers {
        let mut registers = *registers;
        for register in self.image.processor().call_clobbers() {
            registers[usize::from(*register)] = Value::Unknown;
        }
        registers
    }

    fn jump_by_table(&mut self, registers: &Registers) {
        self.tables = Some(self.tables.map_or(*registers, |known| self.join(&known, registers)));
    }

    fn callee(&self, register: Register, registers: &Registers) -> Callee {
        match registers[usize::from(register)] {
            Value::Code(function) => Callee::Known(function),
            Value::Constant(address) => Callee::Known(address),
            Value::Slot(offset) => Callee::Slot(offset),
            _ => Callee::Any,
        }
    }

    fn call(&mut self, at: u32, depth: u32, callee: Callee, registers: &Registers) {
        let callee = match callee {
            Callee::Known(to) => Callee::Known(self.image.function_with(to).unwrap_or(to)),
            other => other,
        };
        self.function.calls.insert(Call { depth, at, callee });
        self.hand_on(callee.known(), registers);
    }

    /// Functions whose addresses are arguments or results, but for the one that is called.
    fn hand_on(&mut self, called: Option<u32>, registers: &Registers) {
        for register in self.image.processor().arguments() {
            if let Value::Code(function) = registers[usize::from(register)]
                && called != Some(function)
            {
                self.function.taken.insert(function);
            }
        }
    }

    fn apply(&mut self, effect: &Effect, registers: &mut Registers) {
        let of = |register: Register| registers[usize::from(register)];
        let (register, value) = match *effect {
            Effect::Set(rd, constant) => (rd, Value::Constant(constant)),
            Effect::SetFrom(rd, place) => (rd, self.constant_at(place)),
            Effect::Add(rd, rs, offset) => (rd, self.address(of(rs).plus(offset))),
            Effect::Shift(rd, rs, bits) => (rd, of(rs).shift(bits)),
            Effect::Sum(rd, one, other) => (rd, of(one).sum(of(other))),
            Effect::Difference(rd, one, other) => (rd, of(one).difference(of(other))),
            Effect::Element(rd, base) => (rd, of(base).element()),
            Effect::Load(rd, base, offset) => (rd, self.load(of(base), offset)),
            Effect::Clobber(rd) => (rd, Value::Unknown),
            Effect::Store(rs) => {
                if let Value::Code(function) = of(rs) {
                    self.function.taken.insert(function);
                }
                return;
            }
        };
        if let Value::Code(function) = value {
            self.loaded.insert(function);
        }
        registers[usize::from(register)] = value;
    }

    /// A sum that is a function's address. Half of an address, and what a program computes with, may be
    /// another's by chance.
    fn address(&self, sum: Value) -> Value {
        match sum {
            Value::Constant(word) if self.image.addresses_are_distinct() => {
                self.image.function_of_pointer(word).map_or(sum, Value::Code)
            }
            other => other,
        }
    }

    fn constant_at(&self, place: u32) -> Value {
        match (self.image.reference(place), self.image.word(place)) {
            (Some(function), _) => Value::Code(function),
            (None, Some(word)) => Value::Constant(word),
            (None, None) => Value::Unknown,
        }
    }

    fn load(&self, base: Value, offset: i32) -> Value {
        match base {
            Value::Constant(address) => self.constant_at(address.wrapping_add_signed(offset)),
            Value::Element(_) => Value::FromTable,
            Value::Stack(_) | Value::Code(_) => Value::Unknown,
            Value::Unknown | Value::Slot(_) | Value::FromTable => Value::Slot(offset),
        }
    }
}

impl Value {
    fn plus(self, offset: i32) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value.wrapping_add_signed(offset)),
            Self::Stack(above) => Self::Stack(above.wrapping_add(offset)),
            Self::Element(base) => Self::Element(base.wrapping_add_signed(offset)),
            value if offset == 0 => value,
            _ => Self::Unknown,
        }
    }

    fn shift(self, bits: u32) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(value << bits),
            _ => Self::Unknown,
        }
    }

    fn sum(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant(constant), value @ (Self::Constant(_) | Self::Stack(_)))
            | (value @ Self::Stack(_), Self::Constant(constant)) => value.plus(constant as i32),
            (Self::Constant(base), _) | (_, Self::Constant(base)) => Self::Element(base),
            _ => Self::Unknown,
        }
    }

    fn difference(self, other: Self) -> Self {
        match other {
            Self::Constant(constant) => self.plus((constant as i32).wrapping_neg()),
            _ => Self::Unknown,
        }
    }

    fn element(self) -> Self {
        match self {
            Self::Constant(base) | Self::Element(base) => Self::Element(base),
            _ => Self::Unknown,
        }
    }
}
