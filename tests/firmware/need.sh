# Sourced by the boards' run.sh: ends with status 2, and says how to install it, where something is missing.

missing() {
    echo "run.sh: $1 is missing; install it with: $2" >&2
    exit 2
}

need() {
    command -v "$1" >/dev/null || missing "$1" "$2"
}

need_target() {
    [ -d "$(rustc --print target-libdir --target "$1")" ] || missing "target $1" "rustup target add $1"
}
