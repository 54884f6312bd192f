//! Tells the linker where the memory is.

use std::env;

fn main() {
    let riscv = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "riscv32");
    let memory = if riscv { "riscv" } else { "cortex-m" };
    println!("cargo::rerun-if-changed=memory");
    println!("cargo::rustc-link-search={}/memory/{memory}", env!("CARGO_MANIFEST_DIR"));
    if riscv {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
