#!/usr/bin/env bash
# Builds the programs of each feature set, and runs them on the board in QEMU. Compares them with their
# limits, and their stack with the deepest chain of calls that ../cost finds. `life` then runs on RISC-V too.
# The table and what the programs say go to stderr; stdout has one JSON object a program, flash less that of
# `empty`.
set -euo pipefail

readonly TARGET=thumbv7em-none-eabihf
readonly RISCV=riscv32imac-unknown-none-elf
# A feature set, then its programs in the order in which they run.
readonly SETS=(
    "none:empty pool_format read_only read_write life"
    "mirror:empty pool_format mirror life"
    "full:empty pool_format full life"
)
# KiB of flash that programs may take: what they take now. The budgets to come are in README.md.
# Making a pool is in no budget; the flash of `life` is mostly the test's own.
declare -rA FLASH_MAX=([read_only]=21 [read_write]=56 [mirror]=72 [full]=91)
# Programs whose chains of calls are known: no other has limits.
readonly MEASURED=" ${!FLASH_MAX[*]} "
readonly RAM_MAX=$((64 << 10))
readonly SECONDS_MAX=120

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=../need.sh
. ../need.sh
need cargo "https://rustup.rs"
need qemu-system-arm "apt-get install qemu-system-arm"
need qemu-system-riscv32 "apt-get install qemu-system-misc"
need_target $TARGET
need_target $RISCV

target_dir=${CARGO_TARGET_DIR:-$PWD/target}
cost=$(cost_program)

# The board's external RAM, in which the disks are, outlives a program: it is this file.
disks=$(mktemp)
trap 'rm -f "$disks" "$disks.table"' EXIT

run() {
    timeout "$SECONDS_MAX" qemu-system-arm -machine mps2-an386,memory-backend=disks \
        -object memory-backend-file,id=disks,size=16M,mem-path="$disks",share=on \
        -nographic -semihosting-config enable=on,target=native \
        -kernel "$target_dir/$TARGET/release/$1" </dev/null
}

run_on_riscv() {
    timeout "$SECONDS_MAX" qemu-system-riscv32 -machine virt -m 64M -bios none \
        -nographic -semihosting-config enable=on,target=native \
        -kernel "$target_dir/$RISCV/release/$1" </dev/null
}

# The number of one field of a program's JSON line.
field() {
    sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"
}

failed=0
printf '%-9s %-12s %9s %9s %9s %10s %9s\n' features program flash lent statics "stack peak" "total RAM" >"$disks.table"
for set in "${SETS[@]}"; do
    IFS=: read -r features programs <<<"$set"
    cargo build --release --locked --features "${features#none}" >&2
    truncate -s 0 "$disks"
    truncate -s 16M "$disks"
    empty_flash=0
    for program in $programs; do
        if ! output=$(run "$program"); then
            printf '%s\nrun.sh: %s of the feature set %s failed\n' "$output" "$program" "$features" >&2
            exit 1
        fi
        grep -v '^{' <<<"$output" >&2 || true
        line=$(grep '^{' <<<"$output")

        whole_flash=$(field flash "$line")
        [ "$program" = empty ] && empty_flash=$whole_flash
        flash=$((whole_flash - empty_flash))
        lent=$(field lent "$line") statics=$(field statics "$line") stack=$(field stack "$line")
        ram=$((lent + statics + stack))
        printf '%-9s %-12s %9d %9d %9d %10d %9d\n' \
            "$features" "$program" "$flash" "$lent" "$statics" "$stack" "$ram" >>"$disks.table"
        sed "s/{/{\"features\":\"$features\",/; s/\"flash\":$whole_flash/\"flash\":$flash,\"ram\":$ram/" <<<"$line"

        if [ "$flash" -gt $((${FLASH_MAX[$program]:-1024} << 10)) ]; then
            echo "run.sh: $program of the feature set $features exceeds ${FLASH_MAX[$program]} KiB of flash" >&2
            failed=1
        fi
        if [[ $MEASURED = *" $program "* ]]; then
            # shellcheck disable=SC2086 # the program and its arguments
            numbers=$($cost "$target_dir/$TARGET/release/$program")
            read -r _ _ _ chain <<<"$numbers"
            if [ "$stack" -gt "$chain" ]; then
                echo "run.sh: $program used $stack bytes of stack, more than its deepest chain of calls: $chain" >&2
                failed=1
            fi
        fi
        if [ "$ram" -gt "$RAM_MAX" ]; then
            echo "run.sh: $program of the feature set $features exceeds $RAM_MAX bytes of RAM" >&2
            failed=1
        fi
    done
    cargo build --release --locked --features "${features#none}" --target $RISCV --bin life >&2
    if ! output=$(run_on_riscv life); then
        printf '%s\nrun.sh: life of the feature set %s failed on RISC-V\n' "$output" "$features" >&2
        exit 1
    fi
    grep -v '^{' <<<"$output" | sed 's/^/RISC-V: /' >&2
done
cat "$disks.table" >&2
exit $failed
