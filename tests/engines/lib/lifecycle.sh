# The verbs, the same for every engine.
# shellcheck shell=bash

engine_family() {
    printf '%s' "${1%%-*}"
}

daemon_of() {
    case $1 in
    docker-*) printf dockerd ;;
    podman) printf podman ;;
    esac
}

socket_of() {
    printf '%s/%s/%s.sock' "$state_root" "$1" "$(engine_family "$1")"
}

program_of() {
    printf '%s/%s/bin/%s' "$state_root" "$1" "$(engine_family "$1")"
}

bridge_of() {
    # Fifteen characters are the most that the kernel takes.
    printf 'alv%s%s' "$tag" "${1#docker-}"
}

# What the engine says about itself, empty while it does not answer. Its components come first, it last.
version_of() {
    local said key
    said=$(curl --silent --max-time 5 --unix-socket "$(socket_of "$1")" http://engine/version) || return 0
    for key in Version ApiVersion; do
        grep -oE "\"$key\":\"[^\"]*\"" <<<"$said" | tail -n 1 | cut -d '"' -f 4
    done | paste -s -d ' '
}

answers() {
    [ -n "$(version_of "$1")" ]
}

answers_or_is_dead() {
    answers "$1" || dead "$1" "$(daemon_of "$1")"
}

wait_for_answer() {
    local name=$1 daemon
    daemon=$(daemon_of "$name")
    within 60 answers_or_is_dead "$name" || true
    answers "$name" && return
    tail -n 5 "$state_root/$name/$daemon.log" >&2
    die "$name does not come up; what it says is in $state_root/$name/$daemon.log"
}

print_engine() {
    printf 'ENGINE=%s\nSOCKET=unix://%s\nCLI=%s\nVERSION=%s\n' "$1" "$(socket_of "$1")" "$(program_of "$1")" "$(version_of "$1")"
}

up() {
    local name=$1 state=$state_root/$1 began=$SECONDS
    if ! alive "$name" "$(daemon_of "$name")" || ! answers "$name"; then
        down "$name"
        mkdir -p "$state"
        "$(engine_family "$name")_install" "$name" "$state"
        "$(engine_family "$name")_start" "$name" "$state" false
        wait_for_answer "$name"
        say "$name is up after $((SECONDS - began)) s"
    fi
    print_engine "$name"
}

down() {
    local name=$1 state=$state_root/$1 bridge
    within 30 kill_members "$name" || die "processes of $name outlive SIGKILL: $(members "$name" | paste -s -d ' ')"
    within 10 remove_groups "$name" || die "cgroups of $name cannot be removed: $(find_groups "$name" | paste -s -d ' ')"
    for bridge in $(bridges "$(bridge_of "$name")" "$(cat "$state/range" 2>/dev/null || echo none)"); do
        ip link delete "$bridge"
    done
    "$(engine_family "$name")_forget" "$state"
    remove_emptied
    rm -rf --one-file-system "$state"
}

daemon_kill() {
    local daemon
    daemon=$(daemon_of "$1")
    alive "$1" "$daemon" || die "$1 has no daemon that could be killed; bring it up with: engine up $1"
    signal "$1" "$daemon" KILL
    within 10 dead "$1" "$daemon" || die "$daemon of $1 outlives SIGKILL"
}

daemon_pause() {
    signal "$1" "$(daemon_of "$1")" STOP
    signal "$1" containerd STOP
}

daemon_unpause() {
    signal "$1" containerd CONT
    signal "$1" "$(daemon_of "$1")" CONT
}

restart() {
    local name=$1 state=$state_root/$1 live_restore=false
    [ -d "$state" ] || die "$name is not up; bring it up with: engine up $name"
    [ "$2" != --live-restore ] || live_restore=true
    daemon_unpause "$name"
    "$(engine_family "$name")_stop" "$name"
    "$(engine_family "$name")_start" "$name" "$state" "$live_restore"
    wait_for_answer "$name"
    print_engine "$name"
}

status() {
    local name
    for name in "${known[@]}"; do
        [ ! -d "$state_root/$name" ] || print_engine "$name"
    done
}

# What a shell evaluates so that the tests find the engines.
environment() {
    local name key engines=()
    for name in $(names "$@"); do
        answers "$name" || die "$name is not up; bring it up with: engine up $name"
        engines+=("$name=unix://$(socket_of "$name")")
        key=$(tr a-z- A-Z_ <<<"$name")
        printf 'export ALVEARY_TEST_CLI_%s=%q\n' "$key" "$(program_of "$name")"
        [ "$(engine_family "$name")" != docker ] || printf 'export ALVEARY_TEST_TCP_%s=%q ALVEARY_TEST_CERTIFICATES_%s=%q\n' \
            "$key" "$(docker_tcp "$name")" "$key" "$state_root/$name/certificates"
    done
    printf 'export ALVEARY_TEST_ENGINES=%q\n' "$(IFS=, && echo "${engines[*]}")"
}

# An engine that is up already is used and left up: only what this call brought up it takes down.
run() {
    local list=() name command
    # The trap outlives this function.
    ours=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        list+=("$1")
        shift
    done
    [ $# -gt 1 ] || usage
    shift
    trap 'for name in "${ours[@]}"; do locked down "$name"; done' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for name in $(names "${list[@]}"); do
        answers "$name" || ours+=("$name")
        locked up "$name" >&2
    done
    eval "$(environment "${list[@]}")"
    # In the background, so that a signal is answered at once; it is handed on, and the engines outlive the command.
    (trap - HUP INT TERM && exec "$@") <&0 &
    command=$!
    trap 'end_command HUP "$command" 129' HUP
    trap 'end_command INT "$command" 130' INT
    trap 'end_command TERM "$command" 143' TERM
    wait "$command"
}

end_command() {
    trap '' HUP INT TERM
    kill "-$1" "$2" 2>/dev/null || true
    wait "$2" || true
    exit "$3"
}

# Everything on this host that an engine of this state folder could have left.
leftovers() {
    local hierarchy name
    for hierarchy in $(hierarchies); do
        [ ! -d "$hierarchy/alveary-engines-$tag" ] || echo "cgroup $hierarchy/alveary-engines-$tag"
    done
    for name in "${known[@]}"; do
        members "$name" | sed "s/^/process of $name: /"
    done
    ip -o link | grep -oE "alv$tag[a-z0-9]+" | sed 's/^/bridge /' || true
    awk -v root="$state_root/" 'index($5, root) == 1 { print "mount " $5 }' /proc/self/mountinfo
    grep -lF " $state_root/" /proc/[0-9]*/mountinfo 2>/dev/null | sed 's|/mountinfo$||; s/^/mounts of process /' || true
    find "$state_root" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sed 's/^/folder /'
    podman_leftovers
}

check_clean() {
    local left
    left=$(leftovers)
    [ -z "$left" ] && return
    printf '%s\n' "$left"
    die 'engines left something behind; remove it with: engine down --all'
}
