//! What is read from a program's ELF file.

use crate::step::{Register, Step};
use crate::{riscv, thumb};
use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{
    Architecture, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionFlags,
    SectionKind, SymbolKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// A program that has been linked, with its relocations (`-C link-arg=-q`).
pub(crate) struct Image {
    processor: Processor,
    /// Contents of sections that no program writes, by their addresses.
    constant: Vec<(u32, Vec<u8>)>,
    functions: BTreeMap<u32, Symbol>,
    /// Where code begins (`true`) and where data does, amid code.
    regions: BTreeMap<u32, bool>,
    /// Words that are functions' addresses: the words' addresses, and the functions'.
    references: BTreeMap<u32, u32>,
    /// Bytes of sections.
    pub(crate) size: Size,
}

/// A function's names, and where its code ends.
struct Symbol {
    names: BTreeSet<String>,
    end: u32,
}

/// Bytes that a program takes whatever it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Code, constants, vectors, and the initial values of statics.
    pub(crate) flash: u32,
    /// The static `LENT`, which is lent to a pool.
    pub(crate) lent: u32,
    /// All other statics.
    pub(crate) statics: u32,
}

/// Whose instructions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processor {
    /// A Cortex-M.
    Thumb,
    /// RISC-V of 32 bits.
    Riscv,
}

impl Processor {
    /// The stack pointer.
    pub(crate) fn stack_pointer(self) -> Register {
        match self {
            Self::Thumb => thumb::STACK_POINTER,
            Self::Riscv => riscv::STACK_POINTER,
        }
    }

    /// Registers in which arguments are.
    pub(crate) fn arguments(self) -> std::ops::Range<Register> {
        match self {
            Self::Thumb => thumb::ARGUMENTS,
            Self::Riscv => riscv::ARGUMENTS,
        }
    }

    /// Registers that a call does not keep.
    pub(crate) fn call_clobbers(self) -> &'static [Register] {
        match self {
            Self::Thumb => &thumb::CALL_CLOBBERS,
            Self::Riscv => &riscv::CALL_CLOBBERS,
        }
    }

    fn decode(self, address: u32, code: &[u8]) -> Option<Step> {
        match self {
            Self::Thumb => thumb::decode(address, code),
            Self::Riscv => riscv::decode(address, code),
        }
    }
}

impl Image {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// What is missing in it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = object::File::parse(bytes).map_err(|error| error.to_string())?;
        let processor = match file.architecture() {
            Architecture::Arm => Processor::Thumb,
            Architecture::Riscv32 => Processor::Riscv,
            other => return Err(format!("no firmware of a known processor: {other:?}")),
        };
        let mut image = Self {
            processor,
            constant: Vec::new(),
            functions: BTreeMap::new(),
            regions: BTreeMap::new(),
            references: BTreeMap::new(),
            size: Size::default(),
        };
        image.take_sections(&file)?;
        image.take_symbols(&file);
        image.take_references(&file)?;
        Ok(image)
    }

    fn take_sections(&mut self, file: &object::File<'_>) -> Result<(), String> {
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            if sh_flags & SHF_ALLOC != SHF_ALLOC {
                continue;
            }
            let written = sh_flags & SHF_WRITE == SHF_WRITE;
            // The runtimes reserve what is left of the memory under these names.
            if matches!(section.name(), Ok(".stack" | ".heap")) {
                continue;
            }
            let bytes = section.size() as u32;
            let empty = matches!(section.kind(), SectionKind::UninitializedData);
            self.size.flash += if empty { 0 } else { bytes };
            self.size.statics += if written { bytes } else { 0 };
            if !written {
                let data = section.data().map_err(|error| error.to_string())?;
                self.constant.push((section.address() as u32, data.to_vec()));
            }
        }
        Ok(())
    }

    fn take_symbols(&mut self, file: &object::File<'_>) {
        let bit = match self.processor {
            Processor::Thumb => 1,
            Processor::Riscv => 0,
        };
        let mut ends = BTreeSet::new();
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            let (address, size) = (symbol.address() as u32, symbol.size() as u32);
            match symbol.kind() {
                SymbolKind::Text if !name.starts_with('$') && symbol.section_index().is_some() => {
                    let start = address & !bit;
                    let end = start + size;
                    ends.insert(start);
                    let known =
                        self.functions.entry(start).or_insert_with(|| Symbol { names: BTreeSet::new(), end });
                    known.names.insert(format!("{:#}", rustc_demangle::demangle(name)));
                    known.end = known.end.max(end);
                }
                SymbolKind::Data if is_lent(name) => {
                    self.size.lent += size;
                    self.size.statics -= size;
                }
                _ => {}
            }
            match name.split('.').next() {
                Some("$t" | "$x") => drop(self.regions.insert(address, true)),
                Some("$d") => drop(self.regions.entry(address).or_insert(false)),
                // The architecture may follow: `$xrv32i2p1`.
                Some(other) if other.starts_with("$x") => drop(self.regions.insert(address, true)),
                _ => {}
            }
        }
        // Functions of assemblers may be without a size: they end where the next one begins.
        let ends_of_sections: Vec<u32> =
            self.constant.iter().map(|(address, data)| address + data.len() as u32).collect();
        for (start, symbol) in &mut self.functions {
            if symbol.end == *start {
                let next = ends.range(start + 1..).next().copied().unwrap_or(u32::MAX);
                let section = ends_of_sections.iter().filter(|end| **end > *start).min();
                symbol.end = section.map_or(next, |end| next.min(*end));
            }
        }
    }

    fn take_references(&mut self, file: &object::File<'_>) -> Result<(), String> {
        let mut any = false;
        for section in file.sections() {
            // What the processor calls by itself is no call of the program's.
            let vectors = section.name() == Ok(".vector_table");
            for (address, relocation) in section.relocations().filter(|_| !vectors) {
                any = true;
                let RelocationTarget::Symbol(_) = relocation.target() else { continue };
                let address = address as u32;
                if self.is_code(address) || relocation.size() != 32 {
                    continue;
                }
                if let Some(word) = self.word(address)
                    && let Some(function) = self.function_of_pointer(word)
                {
                    self.references.insert(address, function);
                }
            }
        }
        if any { Ok(()) } else { Err("no relocations are in it: link with -C link-arg=-q".into()) }
    }

    /// Whether no number that a program computes with is a function's address by chance.
    pub(crate) fn addresses_are_distinct(&self) -> bool {
        // Flash that begins at 0 has small numbers for addresses.
        self.functions.keys().next().is_some_and(|lowest| *lowest >= 1 << 24)
    }

    /// Whose instructions they are.
    pub(crate) fn processor(&self) -> Processor {
        self.processor
    }

    /// The word that the program always has at an address.
    pub(crate) fn word(&self, address: u32) -> Option<u32> {
        let bytes = self.bytes_at(address)?.get(..4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn bytes_at(&self, address: u32) -> Option<&[u8]> {
        let of = |(start, data): &'_ (u32, Vec<u8>)| {
            (*start..start + data.len() as u32).contains(&address).then_some((address - start) as usize)
        };
        self.constant.iter().find_map(|section| Some(&section.1[of(section)?..]))
    }

    /// The instruction at an address, where there is code.
    pub(crate) fn step(&self, address: u32) -> Option<Step> {
        if !self.is_code(address) {
            return None;
        }
        self.processor.decode(address, self.bytes_at(address)?)
    }

    /// How many instructions after the one at this address depend on its condition.
    pub(crate) fn conditions(&self, address: u32) -> u32 {
        match self.processor {
            Processor::Thumb => self.bytes_at(address).map_or(0, thumb::conditions),
            Processor::Riscv => 0,
        }
    }

    fn is_code(&self, address: u32) -> bool {
        self.regions.range(..=address).next_back().is_some_and(|(_, code)| *code)
    }

    /// The function whose address a word is.
    pub(crate) fn function_of_pointer(&self, word: u32) -> Option<u32> {
        let address = match self.processor {
            Processor::Thumb if word & 1 == 0 => return None,
            Processor::Thumb => word & !1,
            Processor::Riscv => word,
        };
        self.functions.contains_key(&address).then_some(address)
    }

    /// The function whose address the word at an address is, by its relocation.
    pub(crate) fn reference(&self, address: u32) -> Option<u32> {
        self.references.get(&address).copied()
    }

    /// All places where functions' addresses are among constants, and the functions; those that code reads
    /// for itself included.
    pub(crate) fn references(&self) -> impl Iterator<Item = (u32, u32)> {
        self.references.iter().map(|(place, function)| (*place, *function))
    }

    /// Whether a place is amid a function's code.
    pub(crate) fn is_literal(&self, place: u32) -> bool {
        self.functions.range(..=place).next_back().is_some_and(|(_, symbol)| place < symbol.end)
    }

    /// The function that code at an address belongs to.
    pub(crate) fn function_with(&self, address: u32) -> Option<u32> {
        let (start, symbol) = self.functions.range(..=address).next_back()?;
        (address < symbol.end).then_some(*start)
    }

    /// Whether the code at an address is what the compiler has taken out of several functions. It is no
    /// function, but pieces of them, and may find the stack and registers as those have them.
    pub(crate) fn is_shared(&self, address: u32) -> bool {
        self.functions
            .get(&address)
            .is_some_and(|symbol| symbol.names.iter().any(|name| name.starts_with("OUTLINED_FUNCTION_")))
    }

    /// The function of this name.
    pub(crate) fn function_named(&self, name: &str) -> Option<u32> {
        self.functions.iter().find_map(|(start, symbol)| symbol.names.contains(name).then_some(*start))
    }

    /// A function's name, of several the first in the alphabet, or its address where it has none.
    pub(crate) fn name(&self, function: u32) -> String {
        let names = self.functions.get(&function).map(|symbol| &symbol.names);
        names.and_then(BTreeSet::first).cloned().unwrap_or_else(|| format!("{function:#x}"))
    }

    /// Where a function's code ends.
    pub(crate) fn end(&self, function: u32) -> u32 {
        self.functions.get(&function).map_or(function, |symbol| symbol.end)
    }
}

/// Whether a symbol is the memory that a program lends to its pool.
fn is_lent(name: &str) -> bool {
    format!("{:#}", rustc_demangle::demangle(name)).ends_with("::LENT")
}
