//! Where the engine is, found as Docker's users expect: what the settings say, `DOCKER_HOST`,
//! `DOCKER_CONTEXT`, the current context, the default socket, a rootless one, Podman's.

mod context;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use alveary_core::Escaped;

/// How an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    Tcp {
        address: String,
        tls: Option<Tls>,
    },
    /// `user@host[:port]`: its `docker` there is talked to.
    Ssh(String),
}

/// The files by which a connection is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) folder: PathBuf,
    pub(crate) verify: bool,
}

impl Endpoint {
    /// `unix:///path`, `tcp://host:port`, `ssh://user@host`.
    fn parse(text: &str, tls: Option<Tls>) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{}` {why}", Escaped(text)));
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("unix", _)) => wrong("is no absolute path of a socket"),
            Some(("tcp" | "http" | "https", rest)) => {
                let address = rest.trim_end_matches('/');
                let strange = |c: char| !(c.is_ascii_alphanumeric() || ".-:[]_".contains(c));
                if address.is_empty() || address.contains(strange) {
                    return wrong("names no host and port");
                }
                let port = if tls.is_some() { 2376 } else { 2375 };
                let has_port = address
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
                let address = if has_port {
                    address.to_owned()
                } else {
                    format!("{address}:{port}")
                };
                Ok(Self::Tcp { address, tls })
            }
            Some(("ssh", target)) => {
                let target = target.trim_end_matches('/');
                let strange = |c: char| !(c.is_ascii_alphanumeric() || "@.-:_".contains(c));
                if target.is_empty() || target.starts_with('-') || target.contains(strange) {
                    return wrong("names no host");
                }
                Ok(Self::Ssh(target.to_owned()))
            }
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { address, .. } => write!(f, "tcp://{address}"),
            Self::Ssh(target) => write!(f, "ssh://{target}"),
        }
    }
}

/// A place where an engine may be, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// What names it: `DOCKER_HOST`, the context `desktop`, the default socket.
    pub(crate) said_by: String,
    /// Where it is, or why that cannot be told.
    pub(crate) endpoint: Result<Endpoint, String>,
}

/// What is looked at: a test has its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) host: Option<String>,
    pub(crate) docker_host: Option<String>,
    pub(crate) docker_context: Option<String>,
    pub(crate) docker_config: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) runtime_dir: Option<PathBuf>,
    pub(crate) tls_verify: bool,
    pub(crate) cert_path: Option<PathBuf>,
}

impl Surroundings {
    /// This process's; `host` is what the settings say.
    pub(crate) fn of_this_process(host: Option<String>) -> Self {
        let text = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
        let path = |key: &str| {
            let set = std::env::var_os(key).filter(|value: &OsString| !value.is_empty());
            set.map(PathBuf::from)
        };
        Self {
            host,
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config: path("DOCKER_CONFIG"),
            home: path("HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            tls_verify: text("DOCKER_TLS_VERIFY").is_some(),
            cert_path: path("DOCKER_CERT_PATH"),
        }
    }

    /// Docker's own folder of settings.
    fn config(&self) -> Option<PathBuf> {
        let usual = || self.home.as_ref().map(|home| home.join(".docker"));
        self.docker_config.clone().or_else(usual)
    }

    /// Every place, the likeliest first. What somebody has said is the only one: an engine that was named is
    /// not replaced by another that happens to answer.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let tls = self.tls_verify.then(|| Tls {
            folder: self
                .cert_path
                .clone()
                .or_else(|| self.config())
                .unwrap_or_default(),
            verify: true,
        });
        let said = |said_by: &str, text: &str| {
            vec![Candidate {
                said_by: said_by.to_owned(),
                endpoint: Endpoint::parse(text, tls.clone()),
            }]
        };
        if let Some(host) = &self.host {
            return said("`host` of the settings", host);
        }
        if let Some(host) = &self.docker_host {
            return said("DOCKER_HOST", host);
        }
        if let Some(named) =
            context::chosen(self.docker_context.as_deref(), self.config().as_deref())
        {
            return vec![named];
        }
        let socket = |said_by: &str, path: PathBuf| Candidate {
            said_by: said_by.to_owned(),
            endpoint: Ok(Endpoint::Unix(path)),
        };
        let mut all = vec![socket("the default socket", "/var/run/docker.sock".into())];
        let runtime = self.runtime_dir.as_deref();
        let below = |base: Option<&Path>, path: &str| base.map(|base| base.join(path));
        for (said_by, path) in [
            ("a rootless engine's socket", below(runtime, "docker.sock")),
            (
                "Docker Desktop's socket",
                below(self.home.as_deref(), ".docker/run/docker.sock"),
            ),
            ("Podman's socket", below(runtime, "podman/podman.sock")),
            ("Podman's socket", Some("/run/podman/podman.sock".into())),
        ] {
            all.extend(path.map(|path| socket(said_by, path)));
        }
        all
    }

    /// The first place where something is, or else all of them with what is the matter with each.
    pub(crate) fn choose(&self) -> Result<Endpoint, String> {
        let candidates = self.candidates();
        let alone = candidates.len() == 1;
        let mut reasons = Vec::new();
        for Candidate { said_by, endpoint } in candidates {
            match endpoint {
                Ok(Endpoint::Unix(path)) if !alone && !path.exists() => {
                    reasons.push(format!("{said_by}: there is no {}", path.display()));
                }
                Ok(endpoint) => return Ok(endpoint),
                Err(why) => reasons.push(format!("{said_by}: {why}")),
            }
        }
        Err(reasons.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_outweighs_what_is_found() {
        let mut here = Surroundings {
            docker_host: Some("tcp://engine:2375".into()),
            ..Default::default()
        };
        assert_eq!(here.choose().unwrap().to_string(), "tcp://engine:2375");
        here.host = Some("unix:///run/mine.sock".into());
        assert_eq!(
            here.choose().unwrap(),
            Endpoint::Unix("/run/mine.sock".into())
        );
        assert_eq!(here.candidates().len(), 1);
    }

    #[test]
    fn sockets_are_looked_for_and_each_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let here = Surroundings {
            runtime_dir: Some(folder.path().to_owned()),
            ..Default::default()
        };
        let socket = folder.path().join("podman/podman.sock");
        std::fs::create_dir(folder.path().join("podman")).unwrap();
        std::fs::write(&socket, "").unwrap();
        if !Path::new("/var/run/docker.sock").exists() {
            assert_eq!(here.choose().unwrap(), Endpoint::Unix(socket.clone()));
            std::fs::remove_file(&socket).unwrap();
            if !Path::new("/run/podman/podman.sock").exists() {
                let reasons = here.choose().unwrap_err();
                assert!(
                    reasons.contains("the default socket") && reasons.contains("Podman"),
                    "{reasons}"
                );
            }
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
            "ssh://-oProxyCommand=x",
            "tcp://a/b",
        ] {
            let here = Surroundings {
                docker_host: Some(text.into()),
                ..Default::default()
            };
            assert!(here.choose().unwrap_err().contains("DOCKER_HOST"), "{text}");
        }
    }

    #[test]
    fn a_context_is_read_as_docker_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder
            .path()
            .join("contexts/meta")
            .join(context::folder_of("far"));
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"ssh://me@far","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        std::fs::write(
            folder.path().join("config.json"),
            r#"{"currentContext":"far"}"#,
        )
        .unwrap();
        let mut here = Surroundings {
            docker_config: Some(folder.path().to_owned()),
            ..Default::default()
        };
        assert_eq!(here.choose().unwrap(), Endpoint::Ssh("me@far".into()));
        here.docker_context = Some("near".into());
        let reason = here.choose().unwrap_err();
        assert!(reason.contains("near"), "{reason}");
        here.docker_context = Some("default".into());
        assert!(here.candidates().len() > 1);
    }
}
