//! What a firmware costs, read from its ELF file: flash, static memory, and the deepest stack.
//!
//! | module | what it is |
//! |---|---|
//! | [`chain`] | all chains of calls, and the deepest |
//! | [`rules`] | what a reader of the source knows about calls without a name |
//! | [`function`] | one function: its stack and its calls, on all paths |
//! | [`image`] | the ELF file |
//! | [`thumb`], [`riscv`] | instructions of processors |
//! | [`step`] | what an instruction does to the stack, on any of them |

mod chain;
mod function;
mod image;
mod riscv;
mod rules;
mod step;
#[cfg(test)]
mod tests;
mod thumb;

use chain::{Chains, Link};
use image::{Image, Size};
use rules::Rules;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

const USAGE: &str = "usage: firmware-cost [--rules FILE] [--root FUNCTION] [--explain] ELF

Prints on one line, in bytes: the flash that a program takes, the static LENT, its other statics, and the deepest stack
from the root on, `main` where none is named. --explain prints the deepest chain and what was assumed. The program must
be linked with -C link-arg=-q, so that its relocations are in the file.";

/// Without floating point, and with it: what a Cortex-M pushes before an interrupt's handler runs.
const EXCEPTION_FRAMES: [u32; 2] = [32, 104];

struct Options {
    elf: String,
    rules: Option<String>,
    root: String,
    explain: bool,
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firmware-cost: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut elf, mut rules, mut root, mut explain) = (None, None, "main".to_owned(), false);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} takes a value\n{USAGE}"));
            match arg.as_str() {
                "--rules" => rules = Some(value()?),
                "--root" => root = value()?,
                "--explain" => explain = true,
                _ if elf.is_none() && !arg.starts_with('-') => elf = Some(arg),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(Self { elf: elf.ok_or(USAGE)?, rules, root, explain })
    }
}

fn run(options: &Options) -> Result<(), String> {
    let bytes = std::fs::read(&options.elf).map_err(|error| format!("{}: {error}", options.elf))?;
    let image = Image::parse(&bytes).map_err(|error| format!("{}: {error}", options.elf))?;
    let rules = match &options.rules {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            Rules::parse(&text).map_err(|error| format!("{path}: {error}"))?
        }
        None => Rules::default(),
    };
    let root = image.function_named(&options.root).ok_or(format!("no function is named {}", options.root))?;
    let chains = Chains::new(&image, &rules, root)?;
    let chain = chains.deepest(root)?;
    let stack: u32 = chain.iter().map(|link| link.depth).sum();
    let Size { flash, lent, statics } = image.size;
    println!("{flash} {lent} {statics} {stack}");
    if options.explain {
        explain(&image, &chains, &chain);
    }
    Ok(())
}

fn explain(image: &Image, chains: &Chains<'_>, chain: &[Link]) {
    println!("\nthe deepest chain: bytes in all, bytes of the function, its name");
    let mut depth = 0;
    for link in chain {
        depth += link.depth;
        let assumed = if link.assumed { "   calls the next through its address" } else { "" };
        println!("{depth:7} {:6}  {}{assumed}", link.depth, image.name(link.function));
    }
    if image.processor() == image::Processor::Thumb {
        let [plain, float] = EXCEPTION_FRAMES;
        println!(
            "An interrupt adds {plain} bytes, {float} where floating point is used, and its handler's stack."
        );
    }
    println!("\nassumed: calls that name nobody, and whom they may go to");
    let mut assumed: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for (caller, call) in chains.assumed() {
        let callees = chains.callees(caller, &call).into_iter().map(|callee| image.name(callee));
        let callees = BTreeSet::from_iter(callees).into_iter().collect();
        assumed.entry(callees).or_default().insert(image.name(caller));
    }
    for (callees, callers) in &assumed {
        for caller in callers {
            println!("    {caller}");
        }
        println!("        -> {}", callees.join("\n        -> "));
    }
    println!("\nnot followed");
    for function in &chains.skipped {
        println!("    {}", image.name(*function));
    }
}
