# What every engine needs of the host: a place in it, and certainty about which processes are its own.
#
# An engine's processes and those of its containers are in a cgroup of its own, so that nothing else is ever
# signalled and nothing of it is ever missed. Its mounts are in a mount namespace of its own, which ends with it.
# shellcheck shell=bash

say() {
    printf 'engine: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Tells the sets of engines of several state folders apart, in names that the whole host shares.
tag=$(cksum <<<"$state_root" | awk '{ printf "%06x", $1 % 16777216 }')

# In CI what is missing is installed; a user is told.
needs() {
    local program=$1 package=$2
    command -v "$program" >/dev/null && return
    if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then
        say "installing $package"
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package"; } >/dev/null 2>&1 || true
        ! command -v "$program" >/dev/null || return 0
    fi
    die "'$program' is missing; install it (Debian: apt-get install $package)"
}

check_host() {
    [ "$(uname -s)" = Linux ] || die 'engines for the tests need Linux; use a virtual machine'
    [ "$(id -u)" -eq 0 ] || die 'engines for the tests need root; run it again with sudo'
    needs unshare util-linux
    needs ip iproute2
    needs curl curl
    needs flock util-linux
    needs openssl openssl
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null ||
        die 'the kernel has no overlay file system; use a kernel with CONFIG_OVERLAY_FS'
    [ -n "$(hierarchies)" ] || die 'no cgroup hierarchy is mounted; mount cgroup2 on /sys/fs/cgroup'
}

# One verb at a time changes a state folder. The folder itself is the lock, and is gone with its last engine:
# who waited for a folder that is no more takes the next.
locked() {
    (
        while true; do
            mkdir -p "$state_root"
            exec 9<"$state_root"
            flock 9
            [ "$(stat -L -c %i /proc/self/fd/9)" != "$(stat -c %i "$state_root" 2>/dev/null)" ] || break
        done
        "$@"
        rmdir "$state_root" 2>/dev/null || true
    )
}

# Calls its arguments until they succeed, for so many seconds.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# ---- cgroups: the same path in every hierarchy

hierarchies() {
    awk '{ for (i = 7; i <= NF; i++) if ($i == "-" && $(i + 1) ~ /^cgroup2?$/) print $5 }' /proc/self/mountinfo
}

# The hierarchy whose membership is the truth: version 2 where there is one, else that of the pids controller.
truth() {
    local v2
    v2=$(awk '{ for (i = 7; i <= NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") print $5 }' /proc/self/mountinfo)
    if [ -n "$v2" ]; then head -n 1 <<<"$v2"; else hierarchies | grep -m 1 pids; fi
}

group_of() {
    printf '/alveary-engines-%s/%s' "$tag" "$1"
}

# Every process of an engine and of its containers, one number a line.
members() {
    local group
    group=$(truth)$(group_of "$1")
    [ ! -d "$group" ] || find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -vx 0 || true
}

# Puts a process into the engine's group, or one below it, in every hierarchy.
join_group() {
    local name=$1 pid=$2 below=${3:-} hierarchy group
    for hierarchy in $(hierarchies); do
        group=$hierarchy$(group_of "$name")$below
        mkdir -p "$group"
        [ ! -e "$group/cpuset.cpus" ] || allow_cpus "$hierarchy" "${group#"$hierarchy/"}"
        echo "$pid" >"$group/cgroup.procs"
    done
}

# A new group of the cpuset controller allows no processor, and so takes no process, until it is told.
allow_cpus() {
    local group=$1 part file
    for part in ${2//\// }; do
        for file in cpuset.cpus cpuset.mems; do
            [ -n "$(cat "$group/$part/$file")" ] || cat "$group/$file" >"$group/$part/$file" 2>/dev/null || true
        done
        group=$group/$part
    done
}

# Becomes the rest, in the engine's cgroup, in a session of its own and without any descriptor of ours.
in_group() {
    local name=$1 below=$2 held
    shift 2
    join_group "$name" "$BASHPID" "$below"
    for held in /proc/"$BASHPID"/fd/*; do
        held=${held##*/}
        [ "$held" -le 2 ] || [ "$held" -eq 255 ] || exec {held}>&-
    done
    exec setsid "$@" </dev/null
}

has_no_members() {
    [ -z "$(members "$1")" ]
}

# What is frozen or stopped takes KILL all the same, but a frozen cgroup of version 1 has to be thawed first.
kill_members() {
    local name=$1 pids frozen
    while read -r frozen; do
        echo THAWED >"$frozen" || true
    done < <(find_groups "$name" -name freezer.state) 2>/dev/null
    pids=$(members "$name")
    # A process may have ended since.
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    has_no_members "$name"
}

find_groups() {
    local name=$1 hierarchy group
    shift
    for hierarchy in $(hierarchies); do
        group=$hierarchy$(group_of "$name")
        [ ! -d "$group" ] || find "$group" -depth "$@"
    done
}

remove_groups() {
    local hierarchy
    find_groups "$1" -type d -exec rmdir {} \; 2>/dev/null || true
    for hierarchy in $(hierarchies); do
        rmdir "$hierarchy/alveary-engines-$tag" 2>/dev/null || true
    done
    [ -z "$(find_groups "$1")" ]
}

# ---- daemons, each with a file that says its pid

# A pid alone may have become another's; one in the engine's cgroup is ours.
alive() {
    local name=$1 daemon=$2 pid state
    pid=$(cat "$state_root/$name/$daemon.pid" 2>/dev/null) && members "$name" | grep -qx "$pid" || return 1
    state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) && [ "$state" != Z ]
}

dead() {
    ! alive "$@"
}

signal() {
    local name=$1 daemon=$2 signal=$3
    alive "$name" "$daemon" || return 0
    kill "-$signal" "$(cat "$state_root/$name/$daemon.pid")"
}

# Starts a daemon inside the engine's mount namespace; what it says goes to a log beside its pid.
start_daemon() {
    local name=$1 daemon=$2 state=$state_root/$1
    shift 2
    # Version 2 lets no group hold both processes and groups, so that daemons have a leaf.
    in_group "$name" /daemons nsenter --target "$(cat "$state/holder.pid")" --mount --cgroup -- "$@" >>"$state/$daemon.log" 2>&1 &
    echo $! >"$state/$daemon.pid"
    # It joins by itself; once it has joined here too, whoever looks finds it alive, or ended.
    join_group "$name" $! /daemons 2>/dev/null || true
    disown
}

# TERM, and KILL to one that does not end within so many seconds.
stop_daemon() {
    local name=$1 daemon=$2 grace=$3
    signal "$name" "$daemon" CONT
    signal "$name" "$daemon" TERM
    within "$grace" dead "$name" "$daemon" || signal "$name" "$daemon" KILL
    within 10 dead "$name" "$daemon" || die "$daemon of $name outlives SIGKILL; see $state_root/$name/$daemon.log"
    rm -f "$state_root/$name/$daemon.pid"
}

# ---- the namespaces: the host as it is, but with Debian's /usr and /etc, the engine's cgroup as the root of cgroups,
# ---- and some folders empty

# What engines write there whatever they are told: sockets of containerd's shims, plugins of Docker, locks, namespaces
# and caches of Podman. Each engine sees these folders empty, and its own.
emptied=(/run/containerd /run/docker /run/containers /run/libpod /run/netns /run/runc /var/lib/containers)

# Usage: enter_tree NAME TREE
# A process that only waits holds the namespaces while daemons come and go. Bind mounts of the host's own
# folders work in it; what the host mounts later is seen only where its own mounts are shared.
enter_tree() {
    local name=$1 tree=$2 state=$state_root/$1 holder
    in_group "$name" '' unshare --cgroup --mount --propagation slave sleep infinity >/dev/null 2>&1 &
    holder=$!
    disown
    echo "$holder" >"$state/holder.pid"
    within 5 own_mounts "$holder" || die "the kernel gives no mount namespace; run it where unshare --mount works"
    join_group "$name" "$holder" /daemons
    cp -a "$tree/etc" "$state/etc"
    echo 1 >"$state/etc/forward"
    cp -L /etc/resolv.conf /etc/hosts "$state/etc/" 2>/dev/null || true
    mkdir -p "${emptied[@]}"
    # shellcheck disable=SC2046
    nsenter --target "$holder" --mount --cgroup "$here/lib/mounts" "$(group_of "$name")" "$state/etc" "$tree/usr" \
        $(hierarchies) -- "${emptied[@]}" ||
        die "the kernel refuses the mounts that $name needs"
}

own_mounts() {
    [ "$(readlink "/proc/$1/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
}

# Folders that exist on the host only because engines saw them empty go with the last engine of any state folder:
# the removal of a folder takes away what is mounted on it in other namespaces.
remove_emptied() {
    [ -z "$(find "$(truth)" -maxdepth 2 -path '*/alveary-engines-*/*' -type d)" ] || return 0
    rmdir "${emptied[@]}" 2>/dev/null || true
}
