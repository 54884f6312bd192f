#!/usr/bin/env bash
# What a pool costs in firmware: builds the measured programs for three processors, and prints on stdout one line for each:
#
#     BUILD TARGET FLASH_BYTES RAM_BYTES
#
# Flash is less that of the program `empty`; RAM is lent memory, statics, and the deepest chain of calls (cost/).
#
#   sizes.sh                        prints that
#   sizes.sh --check                and fails where a number exceeds the kept one (sizes.txt) by more than 2 %
#   sizes.sh --update               and keeps it, and writes the table of README.md, for which it runs the board in QEMU
#   sizes.sh --explain BUILD TARGET prints the deepest chain of one program, and what was assumed, instead
set -euo pipefail

readonly TARGETS=(thumbv6m-none-eabi thumbv7em-none-eabihf riscv32imac-unknown-none-elf)
# A build, the board's features for it, its budgets: KiB of flash and of RAM, to aim at and not to exceed.
readonly BUILDS=(
    "read-only:none:16/18:8/16"
    "read-write:none:32/42:16/24"
    "mirror:mirror:40/48:24/28"
    "full:full:56/72:32/40"
)

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=need.sh
. ./need.sh
# shellcheck source=kept.sh
. ./kept.sh
need cargo "https://rustup.rs"
for target in "${TARGETS[@]}"; do
    need_target "$target"
done

cost=$(cost_program)
target_dir=${CARGO_TARGET_DIR:-$PWD/cortex-m4/target}

# Builds a program for a target, and prints where its ELF file is.
build() {
    local program=$1 features=$2 target=$3
    (cd cortex-m4 && cargo build --quiet --release --locked \
        --target "$target" --features "${features#none}" --bin "$program") >&2
    echo "$target_dir/$target/release/$program"
}

# One line a program: BUILD TARGET FLASH LENT STATICS CHAIN.
measure() {
    local target entry build features flash lent statics chain empty elf numbers
    for target in "${TARGETS[@]}"; do
        elf=$(build empty none "$target")
        # shellcheck disable=SC2086 # the program and its arguments
        numbers=$($cost "$elf")
        read -r empty _ <<<"$numbers"
        for entry in "${BUILDS[@]}"; do
            IFS=: read -r build features _ <<<"$entry"
            elf=$(build "${build//-/_}" "$features" "$target")
            # shellcheck disable=SC2086
            numbers=$($cost "$elf")
            read -r flash lent statics chain <<<"$numbers"
            echo "$build ${target%%-*} $((flash - empty)) $lent $statics $chain"
        done
    done
}

rows() {
    awk '{ print $1, $2, $3, $4 + $5 + $6 }' <<<"$1"
}

# The budgets of a build: what follows the features in BUILDS.
budgets() {
    local entry
    for entry in "${BUILDS[@]}"; do
        [ "${entry%%:*}" = "$1" ] && cut -d: -f3- <<<"$entry" | tr '/:' '  '
    done
}

# The most stack that a program had on the board, from the lines that its run.sh prints.
peak() {
    sed -n "s/.*\"program\":\"${1//-/_}\".*\"stack\":\([0-9]*\).*/\1/p" <<<"$2"
}

# The table of README.md. Numbers with a sign are KiB above (+) or below (-) a budget.
table() {
    local build target flash lent statics chain painted peaks=$2
    echo "| build | processor | flash | to aim at | not to exceed | lent | statics | painted | chain | RAM | to aim at | not to exceed |"
    echo "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    while read -r build target flash lent statics chain; do
        painted=-
        [ "$target" = thumbv7em ] && painted=$(peak "$build" "$peaks")
        echo "$build $target $flash $lent $statics $chain $painted $(budgets "$build")"
    done <<<"$1" | awk '
        function over(bytes, budget) { return sprintf("%d KiB %+.1f", budget, bytes / 1024 - budget) }
        {
            ram = $4 + $5 + $6
            printf "| `%s` | %s | %d | %s | %s | %d | %d | %s | %d | %d | %s | %s |\n", $1, $2, \
                $3, over($3, $8), over($3, $9), $4, $5, $7, $6, ram, over(ram, $10), over(ram, $11)
        }
    '
}

explain() {
    local entry build features target
    for entry in "${BUILDS[@]}"; do
        IFS=: read -r build features _ <<<"$entry"
        for target in "${TARGETS[@]}"; do
            if [ "$build ${target%%-*}" = "$1" ]; then
                # shellcheck disable=SC2046,SC2086
                $cost --explain $(build "${build//-/_}" "$features" "$target")
                return
            fi
        done
    done
    echo "sizes.sh: there is no build $1" >&2
    exit 2
}

case ${1:-} in
--explain)
    explain "${2:-} ${3:-}"
    exit
    ;;
"" | --check | --update) ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' sizes.sh >&2
    exit 2
    ;;
esac

measured=$(measure)
rows "$measured"
case ${1:-} in
--check)
    check_kept RAM sizes.txt "$(rows "$measured")"
    ;;
--update)
    peaks=$(cortex-m4/run.sh)
    rows "$measured" >sizes.txt
    write_table sizes.sh README.md "$(table "$measured" "$peaks")"
    ;;
esac
