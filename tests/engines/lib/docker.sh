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
    certificates "$state/certificates" "$(cat "$state/range").1" || die "openssl makes no certificates for $name"
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

# An authority, what it has signed for the engine at this address (engine*.pem), and what it has signed for who may use
# it, as DOCKER_CERT_PATH has it. Nothing of them outlives the engine.
certificates() {
    local folder=$1 address=$2 whose file usage
    mkdir -p "$folder"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=alveary tests" \
        -keyout "$folder/ca-key.pem" -out "$folder/ca.pem" 2>/dev/null || return
    for whose in engine client; do
        file=$folder/${whose/client/cert}.pem usage=serverAuth
        [ "$whose" = engine ] || usage=clientAuth
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$whose" \
            -keyout "$folder/$whose-key.pem" -out "$folder/$whose.csr" 2>/dev/null || return
        openssl x509 -req -in "$folder/$whose.csr" -CA "$folder/ca.pem" -CAkey "$folder/ca-key.pem" -CAcreateserial \
            -days 2 -out "$file" 2>/dev/null \
            -extfile <(printf 'subjectAltName=IP:%s,DNS:localhost\nextendedKeyUsage=%s\n' "$address" "$usage") || return
    done
    mv "$folder/client-key.pem" "$folder/key.pem"
}

# Where the engine takes secured connections.
docker_tcp() {
    printf 'tcp://%s.1:2376' "$(cat "$state_root/$1/range")"
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
# filter, no forwarding. Published ports are carried by docker-proxy, the host is reached at the bridge. There is no
# other runtime than runc, which has a second name.
docker_config() {
    local name=$1 state=$2 live_restore=$3
    cat <<END
{
    "hosts": ["unix://$state/docker.sock", "$(docker_tcp "$name")"],
    "tlsverify": true,
    "tlscacert": "$state/certificates/ca.pem",
    "tlscert": "$state/certificates/engine.pem",
    "tlskey": "$state/certificates/engine-key.pem",
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
    "runtimes": { "alveary-runc": { "path": "/usr/sbin/runc" } },
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
