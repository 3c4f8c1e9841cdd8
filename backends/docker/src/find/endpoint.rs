//! An engine's address: a socket, a host and port, somebody on a host that ssh reaches.

use std::fmt;
use std::path::PathBuf;

use alveary_core::Escaped;

/// The longest path by which a socket is reached, in bytes: there is a NUL behind it. Docker's own program falls over a
/// longer one.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// How an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    Tcp {
        address: String,
        tls: Option<Tls>,
    },
    /// The `docker` of that host is talked to.
    Ssh(SshTarget),
}

/// The files by which a connection is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) folder: PathBuf,
    /// Whether who answers has to prove who it is.
    pub(crate) verify: bool,
}

/// `user@host:port/path/of/the/socket`, all but the host left out at will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshTarget {
    /// `host` or `user@host`, as ssh takes it.
    pub(crate) who: String,
    pub(crate) port: Option<u16>,
    /// The engine's socket there, where it is not the one that `docker` finds by itself.
    pub(crate) socket: Option<String>,
}

impl Endpoint {
    /// `unix:///path`, `tcp://host:port`, `ssh://user@host`.
    pub(super) fn parse(text: &str, tls: Option<Tls>) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{}` {why}", Escaped(text)));
        if let Some(why) = beyond_reach(text) {
            return Err(why);
        }
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("unix", _)) => wrong("is no absolute path of a socket"),
            Some(("https", _)) if tls.is_none() => wrong(
                "needs certificates; set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to their folder",
            ),
            Some(("tcp" | "http" | "https", rest)) => match tcp(rest, tls.is_some()) {
                Some(address) => Ok(Self::Tcp { address, tls }),
                None => wrong("names no host and port"),
            },
            Some(("ssh", target)) => match SshTarget::parse(target) {
                Ok(target) => Ok(Self::Ssh(target)),
                // It is not shown: it may hold a password.
                Err(Some(why)) => Err(why.to_owned()),
                Err(None) => wrong("names no host"),
            },
            _ => wrong(
                "is no address of an engine (`unix:///run/docker.sock`, `tcp://host:2376` and `ssh://user@host` are)",
            ),
        }
    }

    /// Whether its host is this one.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

/// Why nobody reaches the socket of this address, where that is seen by its path alone.
pub(super) fn beyond_reach(text: &str) -> Option<String> {
    let path = text.strip_prefix("unix://")?;
    (path.len() > LONGEST).then(|| {
        format!(
            "the path `{}` has more than {LONGEST} bytes, and no socket is reached by such a one; make a shorter link to \
             its folder, and name that",
            Escaped(path)
        )
    })
}

fn tcp(rest: &str, secured: bool) -> Option<String> {
    let address = rest.trim_end_matches('/');
    let strange = |c: char| !(c.is_ascii_alphanumeric() || ".-:[]_".contains(c));
    if address.is_empty() || address.contains(strange) {
        return None;
    }
    let port = if secured { 2376 } else { 2375 };
    let said = address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if said {
        address.to_owned()
    } else {
        format!("{address}:{port}")
    })
}

impl SshTarget {
    /// An error without words: this is no host at all.
    fn parse(text: &str) -> Result<Self, Option<&'static str>> {
        let (place, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let (user, host) = match place.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, place),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(Some(
                "the address after `ssh://` holds a password, which ssh takes from nobody; leave it out, and have a key",
            ));
        }
        let (host, port) = match host.strip_prefix('[') {
            // An address of IPv6.
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(None)?;
                let port = match rest {
                    "" => None,
                    rest => Some(rest.strip_prefix(':').ok_or(None)?),
                };
                (host, port)
            }
            None => match host.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (host, None),
            },
        };
        let port = port.map(str::parse).transpose().map_err(|_| None)?;
        let is_word = |text: &str, more: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed)
        };
        if !is_word(host, ".-:_%") || !user.is_none_or(|user| is_word(user, ".-_+\\")) {
            return Err(None);
        }
        let socket = Some(path).filter(|path| !path.trim_matches('/').is_empty());
        // A shell reads it over there.
        if !socket.is_none_or(|path| is_word(path, "/.-_")) {
            return Err(Some(
                "the path of a socket after `ssh://` has other characters than letters, digits and `/._-`; have it \
                 without them, or forward it by `ssh -L` and use that",
            ));
        }
        Ok(Self {
            who: user.map_or_else(|| host.to_owned(), |user| format!("{user}@{host}")),
            port,
            socket: socket.map(ToOwned::to_owned),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { address, .. } => write!(f, "tcp://{address}"),
            Self::Ssh(target) => write!(f, "ssh://{target}"),
        }
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host) = match self.who.rsplit_once('@') {
            Some((user, host)) => (format!("{user}@"), host),
            None => (String::new(), self.who.as_str()),
        };
        if host.contains(':') {
            write!(f, "{user}[{host}]")?;
        } else {
            write!(f, "{user}{host}")?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(who: &str, port: Option<u16>, socket: Option<&str>) -> Endpoint {
        let (who, socket) = (who.to_owned(), socket.map(ToOwned::to_owned));
        Endpoint::Ssh(SshTarget { who, port, socket })
    }

    #[test]
    fn an_address_by_ssh_is_read_as_docker_reads_it() {
        for (text, meant) in [
            ("ssh://far", ssh("far", None, None)),
            ("ssh://me@far/", ssh("me@far", None, None)),
            ("ssh://me@far:2222", ssh("me@far", Some(2222), None)),
            (
                "ssh://far/run/user/7/docker.sock",
                ssh("far", None, Some("/run/user/7/docker.sock")),
            ),
            (
                "ssh://me@[fe80::1%eth0]:22/run/d.sock",
                ssh("me@fe80::1%eth0", Some(22), Some("/run/d.sock")),
            ),
            ("ssh://[::1]", ssh("::1", None, None)),
        ] {
            let read = Endpoint::parse(text, None).unwrap();
            assert_eq!(read, meant, "{text}");
            assert_eq!(read.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_address_is_told_as_one() {
        for text in [
            "",
            "docker.sock",
            "unix://docker.sock",
            "ftp://x",
            "tcp://",
            "tcp://a/b",
            "https://a:2376",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-l@far",
            "ssh://far:port",
            "ssh://far:70000",
            "ssh://fe80::1",
            "ssh://[::1",
            "ssh://a b",
        ] {
            let why = Endpoint::parse(text, None).unwrap_err();
            assert!(why.contains(&format!("`{text}`")), "{text}: {why}");
        }
    }

    #[test]
    fn a_path_that_no_socket_is_reached_by_is_refused_with_its_cure() {
        let socket = |bytes: usize| format!("unix:///{}", "a".repeat(bytes - 1));
        assert!(Endpoint::parse(&socket(LONGEST), None).is_ok());
        let why = Endpoint::parse(&socket(LONGEST + 1), None).unwrap_err();
        assert!(why.contains("link"), "{why}");
    }

    #[test]
    fn no_shell_reads_what_stands_behind_a_host() {
        for text in [
            "ssh://far/run/$(id)",
            "ssh://far/run/a;b",
            "ssh://far/run/a b",
        ] {
            let why = Endpoint::parse(text, None).unwrap_err();
            assert!(why.contains("characters"), "{why}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_shown() {
        let why = Endpoint::parse("ssh://me:hunter2@far", None).unwrap_err();
        assert!(
            why.contains("password") && !why.contains("hunter2"),
            "{why}"
        );
    }

    #[test]
    fn the_port_of_an_engine_is_another_where_it_is_secured() {
        let at = |text: &str, tls: Option<Tls>| Endpoint::parse(text, tls).unwrap().to_string();
        assert_eq!(at("tcp://engine", None), "tcp://engine:2375");
        let folder = "/certs".into();
        let tls = Tls {
            folder,
            verify: true,
        };
        assert_eq!(at("tcp://[::1]", Some(tls)), "tcp://[::1]:2376");
    }
}
