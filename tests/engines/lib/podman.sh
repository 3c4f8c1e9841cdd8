# Podman's service, from the same Debian as docker-20.
# shellcheck shell=bash

podman_install() {
    local name=$1 state=$2 tree
    tree=$(docker_tree docker-20)
    enter_tree "$name" "$tree"
    # When the kernel kills for memory, this Podman's conmon says so in the root of the host.
    [ -e /oom ] || touch "$state/no-oom-before"
    make_bridge "$(bridge_of "$name")" >"$state/range"
    mkdir -p "$state/bin" "$state/tmp" "$state/etc/containers/networks"
    podman_network "$state" >"$state/etc/containers/networks/podman.json"
    podman_config "$name" "$state" >"$state/etc/containers/containers.conf"
    # As Docker does by itself: a registry on this host is spoken to in the clear.
    cat >"$state/etc/containers/registries.conf" <<END
[[registry]]
location = "127.0.0.1"
insecure = true
END
    cat >"$state/etc/containers/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$state/data"
runroot = "$state/run"
END
    # The client needs no more than its service's address.
    cat >"$state/client.conf" <<END
[engine]
remote = true
active_service = "alveary"
[engine.service_destinations.alveary]
uri = "unix://$state/podman.sock"
END
    host_program "$tree" podman "$state/bin/podman"
    sed -i "s|^exec |CONTAINERS_CONF=$state/client.conf &|" "$state/bin/podman"
}

# crun refuses a host with both versions of cgroups, and a host that withholds CAP_SYS_RESOURCE refuses limits
# above its own.
podman_config() {
    local name=$1 state=$2 range
    range=$(cat "$state/range")
    cat <<END
[containers]
cgroups = "enabled"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "$state/tmp"
[network]
network_backend = "netavark"
network_config_dir = "$state/etc/containers/networks"
default_subnet_pools = [{ "base" = "$range.0/19", "size" = 26 }]
END
}

# The default network, on a bridge whose name no other podman takes. The first part of the range is where our own
# bridge marks it as taken, since Podman's come and go with its containers.
podman_network() {
    local state=$1 range
    range=$(cat "$state/range")
    range=${range%.*}.$((${range##*.} + 1))
    cat <<END
{
    "name": "podman",
    "id": "$(sha256sum <<<"$state_root" | cut -d ' ' -f 1)",
    "driver": "bridge",
    "network_interface": "alv${tag}pod0",
    "created": "2024-01-01T00:00:00Z",
    "subnets": [{ "subnet": "$range.0/24", "gateway": "$range.1" }],
    "ipv6_enabled": false,
    "internal": false,
    "dns_enabled": false,
    "ipam_options": { "driver": "host-local" }
}
END
}

podman_start() {
    local name=$1 state=$2
    rm -f "$state/podman.sock"
    start_daemon "$name" podman podman system service --time=0 "unix://$state/podman.sock"
}

podman_stop() {
    stop_daemon "$1" podman 30
}

# ---- the packet filter, which netavark needs for published ports and does not leave as it found it

# A tool of the tree, run on the host, with what it finds there.
podman_iptables() {
    local tree tool=$1
    shift
    tree=$(docker_tree docker-20)
    XTABLES_LIBDIR=$tree/usr/lib/x86_64-linux-gnu/xtables "$tree/lib64/ld-linux-x86-64.so.2" \
        --library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/sbin/xtables-nft-multi" "$tool" "$@"
}

# An extended expression that finds the addresses of a range in rules.
addresses_of() {
    printf '(-[sd]|--to-destination) %s\\.(%s)\\.' "${1%.*}" "$(seq -s '|' "${1##*.}" $((${1##*.} + 31)))"
}

# Those rules of netavark that are about addresses which the expression does not find: another Podman's.
foreign_rules() {
    podman_iptables iptables-save | grep '^-A .*NETAVARK' | grep -E '(-[sd]|--to-destination) [0-9]' |
        grep -vE -- "$1|-[sd] 127\.|-d 224\."
}

# This engine's rules go; netavark's chains go with the last Podman that has rules in them.
podman_forget() {
    local range ours chains='^:NETAVARK' table
    [ ! -e "$1/no-oom-before" ] || rm -f /oom
    range=$(cat "$1/range" 2>/dev/null) || return 0
    ours=$(addresses_of "$range")
    if foreign_rules "$ours" >/dev/null; then chains='^$'; else ours=NETAVARK; fi
    for table in filter nat; do
        podman_iptables iptables-save -t "$table" | awk -v table="$table" -v ours="${ours//\\/\\\\}" -v chains="$chains" '
            BEGIN { print "*" table }
            /^-A .*NETAVARK/ && $0 ~ ours { sub(/^-A/, "-D"); print }
            $0 ~ chains { gone = gone "-X " substr($1, 2) "\n" }
            END { printf "%sCOMMIT\n", gone }' | podman_iptables iptables-restore --noflush
    done
}

# Chains while no Podman is up that could need them, neither of any state folder nor of the host.
podman_leftovers() {
    [ -d "$cache_root" ] && ! ip -o link | grep -qE 'alv[0-9a-f]{6}podman' || return 0
    foreign_rules '198\.1[89]\.' >/dev/null ||
        podman_iptables iptables-save | grep -oE '^:NETAVARK[^ ]*' | sed 's/^:/chain /' || true
}
