#!/usr/bin/env bash
# What the compiler's flags do to firmware: builds the measured programs for the Cortex-M4 with each set of
# flags, runs them in QEMU, and prints the table of docs/PORTING.md. `flags.sh WORD...` only does the sets
# whose name has one of the words. It takes two minutes a set.
#
# Flash is less that of the program `empty`; RAM is lent memory, statics, and the deepest place of the stack
# that the program reached. Instructions are those of one commit (`commits`), which QEMU counts.
set -eu

readonly TARGET=thumbv7em-none-eabihf
# A name, then what is set for it: keys of cargo's release profile, `cpu=` for the processor, `std` where core
# is built too.
readonly SETS=(
    'z, as kept:'
    's:opt-level="s"'
    '2:opt-level=2'
    '3:opt-level=3'
    'z, thin LTO:lto="thin"'
    'z, no LTO:lto="off"'
    'z, no LTO, 16 units:lto="off" codegen-units=16'
    'z, fat LTO, 16 units:codegen-units=16'
    'z, cortex-m4:cpu=cortex-m4'
    's, cortex-m4:opt-level="s" cpu=cortex-m4'
    '3, cortex-m4:opt-level=3 cpu=cortex-m4'
    'z, nightly:nightly'
    'z, own core for size:std'
    'z, own core, cortex-m4:std cpu=cortex-m4'
)
# The board's features for a build, and the program that is measured with them.
readonly BUILDS=(none:read_only none:read_write mirror:mirror full:full)

cd "$(dirname "${BASH_SOURCE[0]}")/cortex-m4"
# shellcheck source=need.sh
. ../need.sh
need cargo "https://rustup.rs"
need qemu-system-arm "apt-get install qemu-system-arm"
need_target $TARGET

# A folder of its own: what cargo builds with one set is not taken for that of another.
target_dir=${CARGO_TARGET_DIR:-$PWD/target}/flags
disks=$(mktemp)
trap 'rm -f "$disks"' EXIT

# Builds the programs of some features with the flags in `settings`.
build() {
    local features=$1 word config=() command=(cargo)
    local rustflags=
    shift
    for word in $settings; do
        case $word in
        cpu=*) rustflags="-C target-$word" ;;
        nightly) command=(cargo +nightly) ;;
        std) command=(cargo +nightly -Zbuild-std=core -Zbuild-std-features=optimize_for_size) ;;
        *) config+=(--config "profile.release.$word") ;;
        esac
    done
    [ -z "$rustflags" ] || config+=(--config "target.$TARGET.rustflags=[\"${rustflags% *}\", \"${rustflags#* }\"]")
    CARGO_TARGET_DIR=$target_dir "${command[@]}" build --quiet --release --locked --target $TARGET \
        --features "${features#none}" "${config[@]}" "${@/#/--bin=}" >&2
}

# Runs a program; words after it are QEMU's.
run() {
    local program=$1
    shift
    timeout 120 qemu-system-arm -machine mps2-an386,memory-backend=disks \
        -object memory-backend-file,id=disks,size=16M,mem-path="$disks",share=on "$@" \
        -nographic -semihosting-config enable=on,target=native \
        -kernel "$target_dir/$TARGET/release/$program" </dev/null
}

# The number of one field of a program's JSON.
field() {
    sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$2"
}

# The cells of the set in `settings`: flash and RAM of each build, then instructions of each set of features.
measure() {
    local entry features program line empty before=none rams='' flashes='' counts=''
    for entry in "${BUILDS[@]}"; do
        IFS=: read -r features program <<<"$entry"
        if [ "$program" = read_only ] || [ "$features" != "$before" ]; then
            before=$features
            truncate -s 0 "$disks" && truncate -s 16M "$disks"
            local programs=(empty pool_format commits "$program")
            [ "$features" != none ] || programs+=(read_write)
            build "$features" "${programs[@]}" || return 1
            empty=$(field flash "$(run empty)")
            run pool_format >/dev/null
        fi
        line=$(run "$program")
        flashes+=" $(($(field flash "$line") - empty)) |"
        rams+=" $(($(field lent "$line") + $(field statics "$line") + $(field stack "$line"))) |"
        [ "$program" = read_only ] || counts+=" $(field instructions "$(run commits -icount shift=0)") |"
    done
    echo "$flashes$rams$counts"
}

echo "| flags | flash: read-only | read-write | mirror | full | RAM: read-only | read-write | mirror | full | instructions of a commit: read-write | mirror | full |"
echo "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
for set in "${SETS[@]}"; do
    IFS=: read -r name settings <<<"$set"
    wanted=$#
    for word in "$@"; do
        [[ $name != *"$word"* ]] || wanted=0
    done
    [ "$wanted" = 0 ] || continue
    if ! cells=$(measure); then
        echo "flags.sh: $name was not built" >&2
        continue
    fi
    echo "| $name |$cells"
done
