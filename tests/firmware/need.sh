# shellcheck shell=bash
# Sourced by the scripts of this folder: ends with status 2, and says how to install it, where something is missing.

# What fails inside of $(...) ends the script too: an empty answer is not taken for a good one.
shopt -s inherit_errexit

missing() {
    echo "$(basename "$0"): $1 is missing; install it with: $2" >&2
    exit 2
}

need() {
    command -v "$1" >/dev/null || missing "$1" "$2"
}

need_target() {
    [ -d "$(rustc --print target-libdir --target "$1")" ] || missing "target $1" "rustup target add $1"
}

# Builds the program that reads from an ELF file what it costs (cost/), and prints how to call it.
cost_program() {
    local root
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    (cd "$root" && cargo build --quiet --locked -p firmware-cost) >&2
    echo "${CARGO_TARGET_DIR:-$root/target}/debug/firmware-cost --rules $root/tests/firmware/cost/rules.txt"
}
