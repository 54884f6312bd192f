#!/bin/sh
# Runs the known inputs of both targets, then fuzzes each for so many seconds (60 if none are given).
# Fails when an input crashes, hangs or causes unbounded I/O; cargo-fuzz then says where it left the input.
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}

# The core forbids unsafe code, so only panics, overflows and debug assertions can be found. Without the
# address sanitizer and the tracing of comparisons ten times as many inputs are tried.
options="--sanitizer none --no-trace-compares"

for target in records mount; do
    mkdir -p "corpus/$target"
    known=$(find seeds regressions -path "*/$target/*" -type f)
    # shellcheck disable=SC2086
    cargo +nightly fuzz run $options "$target" $known -- -timeout=10
    # shellcheck disable=SC2086
    cargo +nightly fuzz run $options "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -max_len=1200 -len_control=0 -print_final_stats=1
done
