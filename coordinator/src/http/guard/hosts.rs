//! By which names this server is called.
//!
//! A page in a browser can make its own name point to loopback and then read what is served there. The name
//! that it used comes along in `Host`, and is none of ours.

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

/// Names by which containers reach the machine that they run on.
const OF_CONTAINERS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// The names and addresses that a request may be meant for.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

/// Whom a request says that it is meant for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// This server, by a name that it has: `authority` as the client wrote it.
    Us { authority: String },
    /// Somebody else.
    Stranger { name: String },
    /// It does not say, or says it twice.
    Unclear,
}

impl Hosts {
    pub(crate) fn new(given: &[String], listening: &[SocketAddr]) -> Self {
        let given = given.iter().map(|name| name.to_ascii_lowercase());
        Self {
            names: OF_CONTAINERS
                .into_iter()
                .map(str::to_owned)
                .chain(given)
                .collect(),
            addresses: listening.iter().map(|address| address.ip()).collect(),
        }
    }

    /// Whom the request is meant for. `reached` is the address at which its connection came in: where the
    /// server listens on every address, that is one it is rightly called by.
    pub(crate) fn meant(&self, request: &Parts, reached: Option<IpAddr>) -> Meant {
        let mut said = request.headers.get_all(HOST).iter();
        let (Some(host), None) = (said.next(), said.next()) else {
            return Meant::Unclear;
        };
        let Some(host) = host.to_str().ok().and_then(|host| host.parse().ok()) else {
            return Meant::Unclear;
        };
        // The absolute form of a target counts for more than the header, so both have to be right.
        for authority in [Some(&host), request.uri.authority()].into_iter().flatten() {
            if !self.has(authority, reached) {
                return Meant::Stranger {
                    name: authority.host().to_owned(),
                };
            }
        }
        Meant::Us {
            authority: host.as_str().to_ascii_lowercase(),
        }
    }

    fn has(&self, authority: &Authority, reached: Option<IpAddr>) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().to_ascii_lowercase();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            Ok(address) => {
                address.is_loopback()
                    || reached == Some(address)
                    || self.addresses.contains(&address)
                    || self.names.contains(&host)
            }
            Err(_) => {
                let name = host.trim_end_matches('.');
                name == "localhost" || self.names.iter().any(|known| known == name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(host: &[&str], target: &str) -> Meant {
        let hosts = Hosts::new(
            &["Swarm.Example".to_owned()],
            &["172.17.0.1:9000".parse().unwrap()],
        );
        let mut request = http::Request::builder().uri(target);
        for host in host {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        hosts.meant(&parts, Some("10.0.0.7".parse().unwrap()))
    }

    #[test]
    fn its_own_names_are_known_whatever_the_port() {
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "localhost.:80",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:8000",
            "172.17.0.1:9000",
            "10.0.0.7",
            "host.docker.internal:8000",
            "host.containers.internal",
            "swarm.example",
        ] {
            assert_eq!(
                meant(&[host], "/"),
                Meant::Us {
                    authority: host.to_ascii_lowercase()
                }
            );
        }
    }

    #[test]
    fn another_name_is_a_stranger_s() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[2001:db8::1]:80",
            "localhost@evil.example",
            "evil.example@localhost",
        ] {
            assert!(
                matches!(meant(&[host], "/"), Meant::Stranger { .. }),
                "{host}"
            );
        }
    }

    #[test]
    fn a_target_that_names_another_host_is_a_stranger_s() {
        assert!(matches!(
            meant(&["localhost"], "http://evil.example/internal/tasks"),
            Meant::Stranger { name } if name == "evil.example"
        ));
        assert!(matches!(
            meant(&["localhost"], "http://127.0.0.1/internal/tasks"),
            Meant::Us { .. }
        ));
    }

    #[test]
    fn none_or_two_is_unclear() {
        for host in [&[][..], &["localhost", "localhost"], &["a b"], &[""]] {
            assert_eq!(meant(host, "/"), Meant::Unclear, "{host:?}");
        }
    }
}
