# Podman's service, from the same Debian as docker-20.
# shellcheck shell=bash

podman_leftovers() {
    :
}
