#!/usr/bin/env bash
# Builds the firmware and the command line, then runs the tests of the two. Words after it name single tests.
# SEED and KILLS say at which moments QEMU is killed, and how often. DYNAMICFS may name the command line.
set -euo pipefail

readonly TARGET=riscv32imac-unknown-none-elf

cd "$(dirname "${BASH_SOURCE[0]}")"
. ../need.sh
need cargo "https://rustup.rs"
need qemu-system-riscv32 "apt-get install qemu-system-misc"
need_target $TARGET

root=$(cd ../../.. && pwd)
firmware=${CARGO_TARGET_DIR:-$PWD/target}
host=${CARGO_TARGET_DIR:-$root/target}
export FIRMWARE=$firmware/$TARGET/release/firmware-riscv-virt FIRMWARE_LOGGING=$firmware/$TARGET/release/firmware-logging
# The same with its log, under another name.
DEFMT_LOG=debug cargo build --release --locked -p firmware-riscv-virt --target $TARGET --features log,defmt
cp "$FIRMWARE" "$FIRMWARE_LOGGING"
cargo build --release --locked -p firmware-riscv-virt --target $TARGET
# A caller that has built the command line names it.
if [ -z "${DYNAMICFS:-}" ]; then
    (cd "$root" && cargo build -p dynamicfs)
    export DYNAMICFS=$host/debug/dynamicfs
fi
cargo test --locked --workspace --exclude firmware-riscv-virt -- --nocapture "$@"
