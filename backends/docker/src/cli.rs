//! An engine that is reached by the program `docker` or `podman`.
