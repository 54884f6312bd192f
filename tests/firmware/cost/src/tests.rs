//! Programs of a few instructions.

use crate::chain::Chains;
use crate::image::Image;
use crate::rules::Rules;
use object::write::{Object, Relocation, Symbol, SymbolFlags, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationEncoding, RelocationFlags, RelocationKind, SectionKind,
    SymbolKind, SymbolScope,
};

const PUSH: u16 = 0xB580; // push {r7, lr}
const SUB_64: u16 = 0xB090; // sub sp, #64
const ADD_64: u16 = 0xB010; // add sp, #64
const POP: u16 = 0xBD80; // pop {r7, pc}
const RETURN: u16 = 0x4770; // bx lr
const CALL_R3: u16 = 0x4798; // blx r3
const LOAD_R3: u16 = 0x68C3; // ldr r3, [r0, #12]

/// One piece of a function.
enum Piece {
    Half(u16),
    /// `bl` to the function of this number.
    Call(usize),
    /// `b.w` to it.
    Jump(usize),
    /// `ldr r3, [pc, #0]`, a jump behind the constant, and the constant: its address.
    Address(usize),
}

use Piece::{Address, Call, Half, Jump};

/// A Thumb program of these functions. Each begins at a multiple of 32 bytes; the first is `main`.
fn program(functions: &[(&str, &[Piece])]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little);
    let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    let mut code = Vec::new();
    let mut addresses = Vec::new();
    let mut marks = Vec::new();
    for (n, (_, pieces)) in functions.iter().enumerate() {
        code.resize(n * 32, 0);
        marks.push(("$t", code.len()));
        for piece in *pieces {
            let branch = |code: &mut Vec<u8>, to: usize, second: u16| {
                let offset = (to as i32 * 32 - code.len() as i32 - 4) >> 1;
                let first = 0xF000 | (offset >> 11 & 0x7FF) as u16;
                code.extend([first.to_le_bytes(), (second | (offset & 0x7FF) as u16).to_le_bytes()].concat());
            };
            match piece {
                Half(half) => code.extend(half.to_le_bytes()),
                Call(to) => branch(&mut code, *to, 0xF800),
                Jump(to) => branch(&mut code, *to, 0xB800),
                Address(of) => {
                    assert_eq!(code.len() % 4, 0, "a constant is aligned");
                    code.extend([0x4B00_u16.to_le_bytes(), 0xE001_u16.to_le_bytes()].concat());
                    marks.extend([("$d", code.len()), ("$t", code.len() + 4)]);
                    addresses.push((code.len() as u64, 1 + 32 * *of as i64));
                    code.extend([0; 4]);
                }
            }
        }
    }
    // A word behind all functions, so that each program has a relocation.
    addresses.push((code.len() as u64, 0));
    code.extend([0; 4]);
    object.append_section_data(text, &code, 4);
    let mut symbol = |name: &str, value: usize, size: u64, kind| -> SymbolId {
        object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: value as u64,
            size,
            kind,
            scope: SymbolScope::Compilation,
            weak: false,
            section: SymbolSection::Section(text),
            flags: SymbolFlags::None,
        })
    };
    for (n, (name, _)) in functions.iter().enumerate() {
        symbol(name, n * 32 + 1, 32, SymbolKind::Text);
    }
    let marks: Vec<_> = marks.into_iter().map(|(name, at)| symbol(name, at, 0, SymbolKind::Label)).collect();
    for (offset, addend) in addresses {
        let flags = RelocationFlags::Generic {
            kind: RelocationKind::Absolute,
            encoding: RelocationEncoding::Generic,
            size: 32,
        };
        object
            .add_relocation(text, Relocation { offset, symbol: marks[0], addend, flags })
            .expect("a relocation");
    }
    object.write().expect("an ELF file")
}

/// The deepest chain, as names with the bytes of each.
fn deepest(functions: &[(&str, &[Piece])], rules: &str) -> Result<String, String> {
    let image = Image::parse(&program(functions))?;
    let rules = Rules::parse(rules)?;
    let root = image.function_named("main").expect("the first function is main");
    let chain = Chains::new(&image, &rules, root)?.deepest(root)?;
    let links = chain.iter().map(|link| format!("{} {}", image.name(link.function), link.depth));
    Ok(links.collect::<Vec<_>>().join(", "))
}

#[track_caller]
fn check(functions: &[(&str, &[Piece])], rules: &str, expected: &str) {
    assert_eq!(deepest(functions, rules).as_deref(), Ok(expected));
}

const LEAF: &[Piece] = &[Half(PUSH), Half(SUB_64), Half(ADD_64), Half(POP)];
const EMPTY: &[Piece] = &[Half(RETURN)];

#[test]
fn the_deeper_of_two_chains_is_taken() {
    let main = [Half(PUSH), Call(1), Call(2), Half(POP)];
    check(&[("main", &main), ("shallow", EMPTY), ("deep", LEAF)], "", "main 8, deep 72");
}

#[test]
fn a_call_is_as_deep_as_the_stack_is_then() {
    let main = [Half(PUSH), Call(1), Half(SUB_64), Call(2), Half(ADD_64), Half(POP)];
    check(&[("main", &main), ("early", LEAF), ("late", EMPTY)], "", "main 8, early 72");
}

#[test]
fn the_last_jump_leaves_no_frame_behind() {
    let main = [Half(PUSH), Half(SUB_64), Half(ADD_64), Half(0xE8BD), Half(0x4080), Jump(1)]; // pop.w {r7, lr}
    let last = [Half(PUSH), Half(SUB_64), Half(SUB_64), Half(ADD_64), Half(ADD_64), Half(POP)];
    check(&[("main", &main), ("last", &last)], "", "main 0, last 136");
}

#[test]
fn recursion_is_an_error() {
    let twice = [Half(PUSH), Call(1), Half(POP)];
    let error = deepest(&[("main", &[Half(PUSH), Call(1), Half(POP)]), ("again", &twice)], "");
    assert_eq!(error, Err("a function calls itself: again -> again".to_owned()));
}

#[test]
fn functions_that_are_skipped_do_not_count() {
    let main = [Half(PUSH), Call(1), Call(2), Half(POP)];
    let functions: [(&str, &[Piece]); 3] =
        [("main", &main), ("report", LEAF), ("work", &[Half(PUSH), Half(POP)])];
    check(&functions, "skip report", "main 8, work 8");
}

#[test]
fn an_address_in_a_register_is_called_and_nothing_is_assumed() {
    let main = [Half(PUSH), Half(0xBF00), Address(1), Half(CALL_R3), Half(POP)];
    let caller = [Half(PUSH), Half(LOAD_R3), Half(CALL_R3), Half(POP)];
    let functions: [(&str, &[Piece]); 3] = [("main", &main), ("named", LEAF), ("other", &caller)];
    check(&functions, "", "main 8, named 72");
}

/// Hands the address of `taken` to `caller`, which calls it without a name.
const HAND_ON: [Piece; 6] = [Half(PUSH), Half(0xBF00), Address(2), Half(0x4618), Call(1), Half(POP)]; // mov r0, r3
const CALLER: [Piece; 4] = [Half(PUSH), Half(LOAD_R3), Half(CALL_R3), Half(POP)];

#[test]
fn a_call_without_a_name_goes_to_all_whose_address_is_taken() {
    check(&[("main", &HAND_ON), ("caller", &CALLER), ("taken", LEAF)], "", "main 8, caller 8, taken 72");
}

#[test]
fn a_rule_that_lets_nobody_call_a_function_is_an_error() {
    let functions: [(&str, &[Piece]); 3] = [("main", &HAND_ON), ("caller", &CALLER), ("taken", LEAF)];
    check(&functions, "only taken < caller", "main 8, caller 8, taken 72");
    let error = deepest(&functions, "only taken < renamed");
    assert_eq!(error, Err("the rules let no function of the program call taken".to_owned()));
}

#[test]
fn a_stack_that_grows_in_a_loop_is_an_error() {
    let main = [Half(PUSH), Half(SUB_64), Half(0xE7FD)]; // b -6, to the subtraction
    let error = deepest(&[("main", &main)], "").expect_err("no end");
    assert!(error.ends_with("the stack grows without end"), "{error}");
}

#[test]
fn a_file_without_relocations_is_refused() {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Arm, Endianness::Little);
    object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    let error = Image::parse(&object.write().expect("an ELF file")).err();
    assert_eq!(error.as_deref(), Some("no relocations are in it: link with -C link-arg=-q"));
}
