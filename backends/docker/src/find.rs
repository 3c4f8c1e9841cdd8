//! Where the engine is, found as Docker's users expect: what the settings say, `DOCKER_HOST`,
//! `DOCKER_CONTEXT`, the current context, the default socket, a rootless one, Podman's.

mod context;
mod endpoint;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::Settings;

pub(crate) use endpoint::Endpoint;
#[cfg(feature = "api")]
pub(crate) use endpoint::SshTarget;
pub(crate) use endpoint::Tls;

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
    /// `DOCKER_TLS`: connections are by TLS, whoever answers.
    pub(crate) tls: bool,
    /// `DOCKER_TLS_VERIFY`: and who answers has to prove who it is.
    pub(crate) tls_verify: bool,
    pub(crate) cert_path: Option<PathBuf>,
}

impl Surroundings {
    /// This process's, and what the settings say before it.
    pub(crate) fn of_this_process(settings: &Settings) -> Self {
        let text = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
        let path = |key: &str| {
            let set = std::env::var_os(key).filter(|value: &OsString| !value.is_empty());
            set.map(PathBuf::from)
        };
        let folder = settings.certificates.clone();
        Self {
            host: settings.host.clone(),
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config: path("DOCKER_CONFIG"),
            home: path("HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            tls: text("DOCKER_TLS").is_some(),
            tls_verify: folder.is_some() || text("DOCKER_TLS_VERIFY").is_some(),
            cert_path: folder.or_else(|| path("DOCKER_CERT_PATH")),
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
        let tls = (self.tls || self.tls_verify).then(|| Tls {
            folder: self
                .cert_path
                .clone()
                .or_else(|| self.config())
                .unwrap_or_default(),
            verify: self.tls_verify,
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
        if tls.is_some() {
            // As Docker's program takes it.
            return said("DOCKER_TLS_VERIFY", "tcp://localhost:2376");
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
        let here = Surroundings {
            docker_host: Some("docker.sock".into()),
            ..Default::default()
        };
        assert!(here.choose().unwrap_err().contains("DOCKER_HOST"));
    }

    #[test]
    fn certificates_alone_mean_the_engine_that_docker_means() {
        let mut here = Surroundings {
            docker_config: Some("/home/me/.docker".into()),
            tls_verify: true,
            ..Default::default()
        };
        let tls = |folder: &str, verify| {
            let folder = folder.into();
            Some(Tls { folder, verify })
        };
        let at = |address: &str, tls| Endpoint::Tcp {
            address: address.into(),
            tls,
        };
        let usual = at("localhost:2376", tls("/home/me/.docker", true));
        assert_eq!(here.choose().unwrap(), usual);
        here.docker_host = Some("tcp://engine".into());
        here.cert_path = Some("/etc/certs".into());
        assert_eq!(
            here.choose().unwrap(),
            at("engine:2376", tls("/etc/certs", true))
        );
        (here.tls, here.tls_verify) = (true, false);
        assert_eq!(
            here.choose().unwrap(),
            at("engine:2376", tls("/etc/certs", false))
        );
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
        assert_eq!(
            here.choose().unwrap(),
            Endpoint::parse("ssh://me@far", None).unwrap()
        );
        here.docker_context = Some("near".into());
        let reason = here.choose().unwrap_err();
        assert!(reason.contains("near"), "{reason}");
        here.docker_context = Some("default".into());
        assert!(here.candidates().len() > 1);
    }
}
