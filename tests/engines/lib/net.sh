# Addresses and bridges. 198.18.0.0/15 is kept for tests of networks: nobody's own network lies there.
# An engine has a sixteenth of it, and leaves the host's packet filter alone.
# shellcheck shell=bash

# The first of the sixteen ranges in which no interface of the host has an address: 198.18.0, 198.18.32, …
free_range() {
    local taken range
    taken=$(ip -4 -o addr)
    for range in 198.{18,19}.{0,32,64,96,128,160,192,224}; do
        grep -qF " $range.1/" <<<"$taken" || {
            printf '%s' "$range"
            return
        }
    done
    die 'sixteen engines are up already; take some down with: engine down --all'
}

# Ranges are chosen by looking at what is there, one chooser at a time.
make_bridge() {
    local bridge=$1 range
    exec 8</run
    flock 8
    range=$(free_range)
    { ip link add "$bridge" type bridge && ip addr add "$range.1/24" dev "$bridge" && ip link set "$bridge" up; } ||
        die "the kernel refuses a bridge; load its module with: modprobe bridge"
    exec 8>&-
    printf '%s' "$range"
}

# The bridges of an engine: its own, and those of networks that were left in it.
bridges() {
    local own=$1 range=$2
    ip -4 -o addr | awk -v own="$own" -v first="${range%.*}." -v from="${range##*.}" '
        $2 == own { print $2 }
        index($4, first) == 1 {
            split(substr($4, length(first) + 1), part, ".")
            if (part[1] >= from && part[1] < from + 32 && $2 != own) print $2
        }'
}
