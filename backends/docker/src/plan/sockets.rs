//! Where engines listen on a host: whoever has one of their sockets is root there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::mounts::without_dots;
use crate::config::Settings;
use crate::find::{Endpoint, Surroundings};

/// Where those of the whole host are, whether or not they are there.
const OF_THE_HOST: [&str; 7] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
];

/// What engines call them, wherever they put them.
const NAMES: [&str; 4] = ["docker.sock", "podman.sock", "containerd.sock", "crio.sock"];

/// Whether this path is a socket of an engine, or a folder that holds one: by its name, by its place, or because an
/// engine is looked for there.
pub(crate) fn holds_a_socket(path: &Path, settings: &Settings) -> bool {
    let is_one = (NAMES.iter()).any(|name| path.file_name() == Some(OsStr::new(name)));
    let of_the_host = || {
        OF_THE_HOST
            .iter()
            .any(|socket| Path::new(socket).starts_with(path))
    };
    is_one || belongs_to_users(path) || of_the_host() || is_looked_for(path, settings)
}

/// `/run/user`, and what in it is a user's or an engine's of that user.
fn belongs_to_users(path: &Path) -> bool {
    let Ok(inside) = path.strip_prefix("/run/user") else {
        return false;
    };
    match inside.components().skip(1).collect::<PathBuf>().to_str() {
        Some(rest) => ["", "docker", "podman", "containerd", "containerd-rootless"].contains(&rest),
        None => false,
    }
}

/// Whether an engine is said to be there, by whatever says so, or listens there though nobody has said it.
fn is_looked_for(path: &Path, settings: &Settings) -> bool {
    let places = Surroundings::of_this_process(settings).all();
    places.iter().any(|place| match &place.endpoint {
        // A home may be mounted where none is in it.
        Ok(Endpoint::Unix(socket)) => {
            without_dots(socket).starts_with(path) && (place.said || socket.exists())
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_told_by_their_place_and_by_their_name() {
        for path in [
            "/",
            "/run",
            "/run/docker.sock",
            "/run/user",
            "/run/user/1000",
            "/run/user/1000/docker.sock",
            "/run/user/1000/podman",
            "/run/user/1000/podman/podman.sock",
            "/home/ada/.docker/run/docker.sock",
            "/srv/engines/docker.sock",
        ] {
            assert!(
                holds_a_socket(Path::new(path), &Settings::default()),
                "{path}"
            );
        }
        for path in [
            "/srv",
            "/run/user/1000/pulse",
            "/run/mysqld/mysqld.sock",
            "/srv/docker.sock/inside",
        ] {
            assert!(
                !holds_a_socket(Path::new(path), &Settings::default()),
                "{path}"
            );
        }
        let at = |host: &str, path: &str| {
            let settings = Settings {
                host: Some(host.to_owned()),
                ..Settings::default()
            };
            holds_a_socket(Path::new(path), &settings)
        };
        let engine = "unix:///srv/e/engine";
        assert!(at(engine, "/srv/e/engine") && at(engine, "/srv/e") && !at(engine, "/srv/f"));
        assert!(!at("tcp://127.0.0.1:2376", "/srv/e"));
    }
}
