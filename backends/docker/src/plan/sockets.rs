//! Where engines listen on a host: whoever has one of their sockets is root there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

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

/// Where Docker Desktop has its own, in somebody's home.
const IN_A_HOME: [&str; 2] = [".docker/run/docker.sock", ".docker/desktop/docker.sock"];

/// Whether this path is a socket of an engine, or a folder that holds one.
pub(crate) fn holds_a_socket(path: &Path) -> bool {
    let is_one = NAMES
        .iter()
        .any(|name| path.file_name() == Some(OsStr::new(name)));
    is_one || belongs_to_users(path) || known().any(|socket| socket.starts_with(path))
}

/// The same of the socket of one engine, by its address.
pub(super) fn holds_that_of(engine: Option<&str>, path: &Path) -> bool {
    socket_of(engine).is_some_and(|socket| socket.starts_with(path))
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

/// Those of the host, the one that the environment names, and what is in the home of who asks.
fn known() -> impl Iterator<Item = PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    let home = std::env::home_dir().into_iter();
    let in_home = home.flat_map(|home| IN_A_HOME.map(|socket| home.join(socket)));
    (OF_THE_HOST.iter().map(PathBuf::from))
        .chain(socket_of(named.as_deref()))
        // A home may be mounted where none is in it.
        .chain(in_home.filter(|socket| socket.exists()))
}

fn socket_of(address: Option<&str>) -> Option<PathBuf> {
    let path = Path::new(address?.strip_prefix("unix://")?);
    path.is_absolute()
        .then(|| super::mounts::without_dots(path))
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
            assert!(holds_a_socket(Path::new(path)), "{path}");
        }
        for path in [
            "/srv",
            "/run/user/1000/pulse",
            "/run/mysqld/mysqld.sock",
            "/srv/docker.sock/inside",
        ] {
            assert!(!holds_a_socket(Path::new(path)), "{path}");
        }
        let holds = |path: &str| holds_that_of(Some("unix:///srv/e/engine"), Path::new(path));
        assert!(holds("/srv/e/engine") && holds("/srv/e") && !holds("/srv/f"));
        assert!(!holds_that_of(Some("tcp://127.0.0.1:2376"), Path::new("/")));
    }
}
