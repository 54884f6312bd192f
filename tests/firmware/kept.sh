# shellcheck shell=bash
# Sourced by the scripts that keep what firmware costs: compares it with what is kept, and writes tables into
# README.md.

readonly GROWTH_PERCENT=2

# Fails where a row of $3, lines of `BUILD TARGET FLASH BYTES`, has grown against the same row of the file $2,
# and where only one of the two has a row. BYTES are of what $1 names.
check_kept() {
    awk -v percent=$GROWTH_PERCENT -v script="$(basename "$0")" -v named="$1" '
        NR == FNR { flash[$1 " " $2] = $3; bytes[$1 " " $2] = $4; next }
        function grown(what, now, kept) {
            if (now * 100 <= kept * (100 + percent)) return
            printf "%s: %s of %s on %s is %d bytes; %d are kept\n", script, what, $1, $2, now, kept
            failed = 1
        }
        { row = $1 " " $2; measured[row]; grown("flash", $3, flash[row]); grown(named, $4, bytes[row]) }
        END {
            for (row in flash) if (!(row in measured)) { printf "%s: %s was not measured\n", script, row; failed = 1 }
            if (failed) printf "%s: make it smaller, or keep what it takes now, by --update\n", script
            exit failed
        }
    ' "$2" - <<<"$3" >&2
}

# Replaces what is between the marks of $1 in the file $2 by $3.
write_table() {
    local text
    text=$(awk -v mark="$1" -v table="$3" '
        index($0, "<!-- " mark " ends -->") { skipped = 0 }
        !skipped
        index($0, "<!-- " mark " begins -->") { print table; skipped = 1 }
    ' "$2")
    printf '%s\n' "$text" >"$2"
}
