#!/usr/bin/env bash
# Builds the static library of dynamicfs-c for a host and for the Cortex-M4, and runs the C programs of this
# folder with it: on the host under valgrind, on the board in QEMU. Prints on stdout what the measured
# programs take on the board:
#
#     BUILD TARGET FLASH_BYTES STACK_BYTES
#
# Stack is the deepest chain of calls (../cost). BUILD ends with `+lto` where program and library were
# optimized as one: both are LLVM bitcode then, and the linker compiles them.
#
#   run.sh            fails where a program fails, or takes 2 % more than is kept (sizes.txt)
#   run.sh --update   keeps what they take, and writes the table of ../README.md
set -euo pipefail

readonly TARGET=thumbv7em-none-eabihf
# A build, the features of the library, disks, and the programs in the order in which they run. The last is
# measured.
readonly SETS=(
    "read-write::1:LIFE FORMAT READ_WRITE"
    "read-only:--no-default-features:1:READ_ONLY"
    "mirror:--features xor,repair:3:LIFE FORMAT MIRROR"
    "full:--features reed-solomon,repair,maintain:4:LIFE FORMAT FULL"
)
readonly SECONDS_MAX=120

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=../need.sh
. ../need.sh
# shellcheck source=../kept.sh
. ../kept.sh
need cargo "https://rustup.rs"
need qemu-system-arm "apt-get install qemu-system-arm"
need valgrind "apt-get install valgrind"
need cc "apt-get install gcc"
# Clang has the Cortex-M in it, and takes an eighth of the room of gcc-arm-none-eabi; rustup has the linker.
clang=$(compgen -c clang | grep -E '^clang(-[0-9]+)?$' | sort | head -1) || true
need "${clang:-clang}" "apt-get install clang"
need_target $TARGET

root=$(cd ../../.. && pwd)
target_dir=${CARGO_TARGET_DIR:-$root/target}
header=$root/core/dynamicfs-c
lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld
cost=$(cost_program)
cost=${cost% --rules *}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where the examples and what stands in for their systems are.
readonly SHIMS=(zephyr zephyr/stand-in esp-idf esp-idf/stand-in freertos freertos/stand-in)
readonly WARNINGS="-std=c99 -Wall -Wextra -Wpedantic -Werror"

# Builds the library, and prints where it is. Cargo's output is where a later build overwrites it.
library() {
    local name=$1 features=$2 target=$3 flags=${4:-}
    # shellcheck disable=SC2086 # several words, or none
    (cd "$root" && RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo rustc --quiet --locked -p dynamicfs-c --profile firmware --crate-type staticlib \
        $features ${target:+--target $target}) >&2
    cp "$target_dir/$target/firmware/libdynamicfs_c.a" "$work/$name.a"
    echo "$work/$name.a"
}

# Compiles and links a program for the board: its name, the library, options, sources. Startup and `memcpy`
# are no bitcode: what the linker compiles may call them.
for_board() {
    local name=$1 library=$2 options=$3 source lto objects=()
    shift 3
    for source in board/startup.c board/memory.c "$@"; do
        lto=
        case $name-$source in
        *+lto-board/*) ;;
        *+lto-*) lto=-flto ;;
        esac
        objects+=("$work/$(basename "$source" .c).o")
        # shellcheck disable=SC2086
        "$clang" --target=$TARGET -Oz -ffreestanding -fno-builtin -ffunction-sections -fdata-sections \
            $WARNINGS $lto -I. -Iboard -isystem board/freestanding -I"$header" $options -c "$source" -o "${objects[-1]}"
    done
    # Relocations stay in the file: ../cost reads from them what is called.
    "$lld" -flavor gnu --gc-sections -q -T board/board.ld "${objects[@]}" "$library" -o "$work/$name.elf"
}

# Runs a program in QEMU. The board's large memory, in which the disks are, is a file that the next one finds.
on_board() {
    [ -e "$work/disks" ] || truncate -s 16M "$work/disks"
    timeout "$SECONDS_MAX" qemu-system-arm -machine mps2-an386,memory-backend=disks \
        -object memory-backend-file,id=disks,size=16M,mem-path="$work/disks",share=on \
        -nographic -semihosting-config enable=on,target=native -kernel "$work/$1.elf" </dev/null
}

# Flash and the deepest stack of a program.
costs() {
    # shellcheck disable=SC2086 # the program and its arguments
    $cost --rules "$work/rules.txt" "$work/$1.elf" | awk '{ print $1, $4 }'
}

on_host() {
    local library
    library=$(library host "--features full" "")
    # The library has Rust's standard library in it there, for its handler of panics alone.
    local system="-lpthread -ldl -lm"
    # shellcheck disable=SC2086
    cc $WARNINGS -g -DDISKS=3 -DPINS=1 -I. -Iboard -I"$header" life.c disks.c board/host.c \
        "$library" $system -o "$work/life"
    valgrind --quiet --error-exitcode=1 "$work/life" >&2
    # shellcheck disable=SC2086
    cc ${WARNINGS/c99/gnu11} -Wno-pedantic -g -DDISKS=3 -I. -Iboard -I"$header" $(printf -- '-I%s ' "${SHIMS[@]/#/$header/examples/}") \
        shims.c disks.c board/host.c "$header"/examples/*/*.c "$library" $system -o "$work/shims"
    valgrind --quiet --error-exitcode=1 "$work/shims" >&2
    # shellcheck disable=SC2086
    cc ${WARNINGS/c99/gnu11} -g -DDISKS=3 -I. -Iboard -I"$header" threads.c disks.c board/host.c \
        "$library" $system -o "$work/threads"
    valgrind --quiet --tool=helgrind --error-exitcode=1 "$work/threads" >&2
    # The header is C++ too.
    echo '#include "dynamicfs.h"' >"$work/header.cpp"
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$header" "$work/header.cpp"
}

# The row of a build. With `+lto` as the last word, program and library are optimized as one.
on_board_build() {
    local build=$1 features=$2 disks=$3 programs=$4 empty=$5 lto=$6 program sources library flash stack numbers
    library=$(library "$build$lto" "$features" $TARGET "${lto:+-Clinker-plugin-lto}")
    for program in $programs; do
        sources="pool.c"
        # `life` begins with disks that hold nothing, and what it leaves is for nobody.
        [ "$program" = LIFE ] && sources="life.c disks.c" && rm -f "$work/disks"
        # shellcheck disable=SC2086 # several files
        for_board "$program$lto" "$library" "-DPROGRAM=$program -DDISKS=$disks -DPINS=0" $sources
        if ! on_board "$program$lto" >"$work/said"; then
            cat "$work/said" >&2
            echo "run.sh: $program of $build$lto failed" >&2
            exit 1
        fi
    done
    numbers=$(costs "$program$lto")
    read -r flash stack <<<"$numbers"
    echo "$build$lto ${TARGET%%-*} $((flash - empty)) $stack"
}

# The rows of all builds.
on_board_all() {
    local set build features disks programs empty numbers lto
    for_board EMPTY /dev/null -DPROGRAM=EMPTY pool.c
    numbers=$(costs EMPTY)
    read -r empty _ <<<"$numbers"
    for set in "${SETS[@]}"; do
        IFS=: read -r build features disks programs <<<"$set"
        for lto in "" "+lto"; do
            on_board_build "$build" "$features" "$disks" "$programs" "$empty" "$lto"
        done
    done
}

update() {
    local table
    echo "$1" >sizes.txt
    table=$(echo "| build | processor | flash in Rust | flash in C | more | as one | more | stack in C |" &&
        echo "|---|---|--:|--:|--:|--:|--:|--:|" &&
        awk '
            function more(bytes) { return sprintf("%d | %.1f %%", bytes, (bytes / rust[$1 $2] - 1) * 100) }
            FILENAME == "../sizes.txt" { rust[$1 $2] = $3; next }
            $1 ~ /\+lto$/ { one[substr($1, 1, length($1) - 4) $2] = $3; next }
            { rows[++n] = $0 }
            END {
                for (i = 1; i <= n; i++) {
                    $0 = rows[i]
                    printf "| `%s` | %s | %d | %s | %s | %d |\n", $1, $2, rust[$1 $2], more($3), more(one[$1 $2]), $4
                }
            }
        ' ../sizes.txt sizes.txt)
    write_table c/run.sh ../README.md "$table"
}

case ${1:-} in
"" | --update) ;;
*)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' run.sh >&2
    exit 2
    ;;
esac
cat rules.txt ../cost/rules.txt >"$work/rules.txt"
on_host
measured=$(on_board_all)
echo "$measured"
if [ "${1:-}" = --update ]; then update "$measured"; else check_kept stack sizes.txt "$measured"; fi
