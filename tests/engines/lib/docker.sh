# Docker as Debian packages it: bookworm's 20.10, and whatever sid has now.
# shellcheck shell=bash

docker_tree() {
    case $1 in
    docker-20) tree bookworm docker.io podman catatonit netavark aardvark-dns iptables busybox-static base-files ca-certificates ;;
    docker-new) tree sid docker.io docker-cli iptables busybox-static base-files ca-certificates ;;
    esac
}

docker_install() {
    local name=$1 state=$2 tree
    tree=$(docker_tree "$name")
    enter_tree "$name" "$tree"
    make_bridge "$(bridge_of "$name")" >"$state/range"
    mkdir -p "$state/bin"
    host_program "$tree" docker "$state/bin/docker"
    cat >"$state/containerd.toml" <<END
version = 2
root = "$state/containerd"
state = "$state/c"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "$state/containerd.sock"
END
}

docker_start() {
    local name=$1 state=$2 live_restore=$3
    alive "$name" containerd || {
        rm -f "$state/containerd.sock"
        start_daemon "$name" containerd containerd --config "$state/containerd.toml"
        within 30 test -S "$state/containerd.sock" || die "containerd of $name does not come up; see $state/containerd.log"
    }
    # After a kill -9 the pid file is still there, and its number may be another's by now.
    rm -f "$state/docker.pid"
    docker_config "$name" "$state" "$live_restore" >"$state/daemon.json"
    start_daemon "$name" dockerd dockerd --config-file "$state/daemon.json"
}

# Two daemons on one host would fight over the chain DOCKER, and a user's own is none of our business: no packet
# filter, no forwarding. Published ports are carried by docker-proxy, the host is reached at the bridge.
docker_config() {
    local name=$1 state=$2 live_restore=$3
    cat <<END
{
    "hosts": ["unix://$state/docker.sock"],
    "containerd": "$state/containerd.sock",
    "data-root": "$state/data",
    "exec-root": "$state/exec",
    "pidfile": "$state/docker.pid",
    "bridge": "$(bridge_of "$name")",
    "default-address-pools": [{ "base": "$(cat "$state/range").0/19", "size": 26 }],
    "iptables": false,
    "ip6tables": false,
    "ip-forward": false,
    "ip-masq": false,
    "live-restore": $live_restore,
    "storage-driver": "overlay2",
    "exec-opts": ["native.cgroupdriver=cgroupfs"]
}
END
}

docker_stop() {
    stop_daemon "$1" dockerd 30
}

docker_forget() {
    :
}
