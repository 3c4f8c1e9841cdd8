# Debian's packages, unpacked into a folder of the cache: nothing of them is installed on the host, no script of
# theirs is run, and no service of theirs is ever started.
# shellcheck shell=bash

mirror=http://deb.debian.org/debian

# Prints the folder that holds Debian's SUITE with these PACKAGES, made now unless it is there.
tree() {
    local suite=$1 tree made
    shift
    # Another recipe makes another tree.
    tree=$cache_root/$suite-$({ echo "$*" && declare -f unpack; } | cksum | cut -d ' ' -f 1)
    if [ ! -d "$tree" ]; then
        needs mmdebstrap mmdebstrap
        mkdir -p "$cache_root"
        made=$(mktemp -d "$cache_root/.making-XXXXXX")
        unpack "$suite" "$made" "$@"
        mv -T "$made" "$tree" 2>/dev/null || [ -d "$tree" ] || die "'$cache_root' cannot be written"
    fi
    printf '%s' "$tree"
}

unpack() {
    local suite=$1 folder=$2 log=$2.log tool
    shift 2
    say "unpacking Debian $suite: $*"
    # A mirror may lag behind; signatures are checked all the same.
    if ! mmdebstrap --quiet --mode=root --variant=extract --include="$(IFS=, && echo "$*")" \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --aptopt='Acquire::Check-Valid-Until "false"' \
        "$suite" "$folder" "$mirror" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -rf "$folder" "$log"
        die "Debian $suite cannot be unpacked; is $mirror reachable, and is $cache_root writable?"
    fi
    rm -f "$log"
    # What the packages' own scripts would have linked.
    for tool in {iptables,ip6tables}{,-save,-restore}; do
        ln -sf "${tool/tables/tables-nft}" "$folder/usr/sbin/$tool"
    done
    chmod 755 "$folder"
}

# Makes a program of a tree one that runs on the host, whatever the host's libraries are.
host_program() {
    local tree=$1 program=$2 made=$3
    shift 3
    cat >"$made" <<END
#!/bin/sh
exec $tree/lib64/ld-linux-x86-64.so.2 --library-path $tree/usr/lib/x86_64-linux-gnu --argv0 "\$0" $tree/usr/bin/$program $* "\$@"
END
    chmod 755 "$made"
}
