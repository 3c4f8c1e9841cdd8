//! From an endpoint to a connection.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use async_trait::async_trait;
use tokio::net::{TcpStream, UnixStream};

use super::ssh::Piped;
use super::tls;
use crate::classify::{Class, Trouble};
use crate::find::{Endpoint, Surroundings};
use crate::http::{Dial, Io};

/// Connects to what this process is said to use, anew each time.
pub(super) struct Direct {
    here: Surroundings,
    /// Where an engine has been reached. Should its socket be away for a moment, another engine's is not taken for
    /// it: there, none of the swarm's agents would be.
    settled: OnceLock<Endpoint>,
}

impl Direct {
    pub(super) fn new(here: Surroundings) -> Self {
        Self {
            here,
            settled: OnceLock::new(),
        }
    }

    /// There and nowhere else.
    pub(super) fn to(endpoint: Endpoint) -> Self {
        Self {
            here: Surroundings::default(),
            settled: OnceLock::from(endpoint),
        }
    }

    fn endpoint(&self) -> Result<Endpoint, Trouble> {
        if let Some(settled) = self.settled.get() {
            return Ok(settled.clone());
        }
        let chosen = self.here.choose();
        chosen.map_err(|reasons| Trouble::new(Class::Unreachable, reasons))
    }
}

#[async_trait]
impl Dial for Direct {
    async fn dial(&self) -> Result<Box<dyn Io>, Trouble> {
        let endpoint = self.endpoint()?;
        let connection = connect(&endpoint).await?;
        // Whoever was first has settled it.
        let _ = self.settled.set(endpoint);
        Ok(connection)
    }

    fn is_local(&self) -> bool {
        self.endpoint().is_ok_and(|endpoint| endpoint.is_local())
    }

    fn is_dear(&self) -> bool {
        self.endpoint().is_ok_and(|endpoint| {
            matches!(
                endpoint,
                Endpoint::Ssh(_) | Endpoint::Tcp { tls: Some(_), .. }
            )
        })
    }
}

impl fmt::Display for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint() {
            Ok(endpoint) => write!(f, "the engine at {endpoint}"),
            Err(_) => f.write_str("an engine that is not found"),
        }
    }
}

pub(super) async fn connect(endpoint: &Endpoint) -> Result<Box<dyn Io>, Trouble> {
    let said = |error: io::Error| {
        let class = match error.kind() {
            io::ErrorKind::PermissionDenied => Class::Denied,
            _ => Class::Unreachable,
        };
        Trouble::new(class, format!("{endpoint}: {error}"))
    };
    match endpoint {
        Endpoint::Unix(path) => Ok(Box::new(UnixStream::connect(path).await.map_err(said)?)),
        Endpoint::Tcp { address, tls } => {
            let stream = TcpStream::connect(address).await.map_err(said)?;
            stream.set_nodelay(true).map_err(said)?;
            match tls {
                None => Ok(Box::new(stream)),
                Some(files) => tls::secure(stream, address, files).await,
            }
        }
        Endpoint::Ssh(target) => Ok(Box::new(Piped::open(target)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_whose_socket_is_away_for_a_moment_is_no_other_engine() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("podman")).unwrap();
        let ours = tokio::net::UnixListener::bind(path("docker.sock")).unwrap();
        let _other = tokio::net::UnixListener::bind(path("podman/podman.sock")).unwrap();
        let here = Surroundings {
            runtime_dir: Some(folder.path().to_owned()),
            ..Surroundings::default()
        };
        let mut direct = Direct::new(here);
        // The engine of this host, if there is one, is none of this test's business.
        let first = Endpoint::Unix(path("docker.sock"));
        if direct.endpoint().unwrap() != first {
            direct.settled = OnceLock::from(first);
        }
        drop(direct.dial().await.unwrap());
        drop(ours);
        std::fs::remove_file(path("docker.sock")).unwrap();
        let trouble = direct.dial().await.err().unwrap();
        assert_eq!(trouble.class, Class::Unreachable);
        assert!(trouble.words.contains("docker.sock"), "{}", trouble.words);
    }
}
