//! What the running program takes, told without `core::fmt`, which would take more than it tells.

use crate::machine::{self, print};
use crate::stack;

unsafe extern "C" {
    // Bounds of the program's sections, from the runtime's linker script.
    #[cfg_attr(target_arch = "riscv32", link_name = "__stext")]
    static __vector_table: u32;
    static __erodata: u32;
    static __sdata: u32;
    static __edata: u32;
    static __sbss: u32;
    static __ebss: u32;
}

/// Bytes that a program takes.
#[derive(Clone, Copy)]
pub struct Figures {
    /// Code, constants, and the initial values of statics.
    pub flash: usize,
    /// Memory lent to the pool.
    pub lent: usize,
    /// Statics beside that.
    pub statics: usize,
    /// The stack at its deepest.
    pub stack: usize,
}

impl Figures {
    /// The running program's, which has lent this much and used that much stack.
    pub fn new(lent: usize, stack: usize) -> Self {
        let bytes = |start: *const u32, end: *const u32| end as usize - start as usize;
        let data = bytes(&raw const __sdata, &raw const __edata);
        Self {
            flash: bytes(&raw const __vector_table, &raw const __erodata) + data,
            lent,
            statics: data + bytes(&raw const __sbss, &raw const __ebss) - lent,
            stack,
        }
    }

    /// One JSON object on one line, left open for more fields.
    pub fn print_open(&self, program: &str) {
        print("{\"program\":\"");
        print(program);
        print("\"");
        for (name, bytes) in [
            (",\"flash\":", self.flash),
            (",\"lent\":", self.lent),
            (",\"statics\":", self.statics),
            (",\"stack\":", self.stack),
        ] {
            print(name);
            print_number(bytes);
        }
    }
}

/// Ends a program: what it did not manage, or its figures.
pub fn finish(program: &str, lent: usize, done: Result<(), &'static str>) -> ! {
    let done = if stack::overflowed() { Err("the stack overflowed") } else { done };
    match done {
        Ok(()) => {
            Figures::new(lent, stack::peak()).print_open(program);
            print("}\n");
        }
        Err(what) => {
            print(program);
            print(" failed: ");
            print(what);
            print("\n");
        }
    }
    machine::stop(done.is_ok())
}

/// Prints a number, in decimal.
pub fn print_number(number: usize) {
    if number >= 10 {
        print_number(number / 10);
    }
    let digit = number % 10;
    print("0123456789".get(digit..=digit).unwrap_or_default());
}
