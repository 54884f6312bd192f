#!/bin/sh
# Builds both targets with the stable toolchain and runs their known inputs, each once: the seeds, and what once failed.
# Without the engine's instrumentation nothing new is found. Fails on a crash, a hang or unbounded I/O, and says where.
set -eu
cd "$(dirname "$0")"
cargo build --quiet
for target in records mount; do
    known=$(find seeds regressions -path "*/$target/*" -type f | sort)
    # shellcheck disable=SC2086
    said=$("${CARGO_TARGET_DIR:-target}/debug/$target" -timeout=60 $known 2>&1) || {
        printf '%s\n' "$said" | tail -60
        exit 1
    }
    printf '%s: %s inputs\n' "$target" "$(printf '%s\n' "$said" | grep -c '^Executed ')"
done
