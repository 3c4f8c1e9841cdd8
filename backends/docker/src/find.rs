//! Where the engine is, found as Docker's users expect: what the settings say, `DOCKER_HOST`,
//! `DOCKER_CONTEXT`, the current context, the default socket, a rootless one, Podman's.

mod context;
mod endpoint;
#[cfg(any(feature = "api", feature = "cli"))]
mod look;

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
    /// Whether somebody has said it, and it was not only looked for.
    pub(crate) said: bool,
    /// The context that says it, which may say more than an address.
    pub(crate) context: Option<String>,
}

impl Candidate {
    /// Why nothing can be there, where that is seen without asking.
    pub(crate) fn absent(&self) -> Option<String> {
        match &self.endpoint {
            Ok(Endpoint::Unix(path)) if !path.exists() => {
                Some(format!("there is no {}", path.display()))
            }
            Ok(_) => None,
            Err(why) => Some(why.clone()),
        }
    }
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
    pub(crate) fn config(&self) -> Option<PathBuf> {
        let usual = || self.home.as_ref().map(|home| home.join(".docker"));
        self.docker_config.clone().or_else(usual)
    }

    /// Whether Docker's program gives the containers that it makes variables which nobody named: those of a proxy, over
    /// what an agent's own environment says.
    #[cfg(feature = "cli")]
    pub(crate) fn gives_proxies(&self) -> bool {
        self.config()
            .is_some_and(|config| context::gives_proxies(&config))
    }

    /// Every place, the one that counts most first.
    pub(crate) fn all(&self) -> Vec<Candidate> {
        let tls = (self.tls || self.tls_verify).then(|| Tls {
            folder: self
                .cert_path
                .clone()
                .or_else(|| self.config())
                .unwrap_or_default(),
            verify: self.tls_verify,
        });
        let said = |said_by: &str, text: &str| Candidate {
            said_by: said_by.to_owned(),
            endpoint: Endpoint::parse(text, tls.clone()),
            said: true,
            context: None,
        };
        let mut all = Vec::new();
        all.extend(
            self.host
                .iter()
                .map(|host| said("`host` of the settings", host)),
        );
        all.extend(
            self.docker_host
                .iter()
                .map(|host| said("DOCKER_HOST", host)),
        );
        let config = self.config();
        all.extend(context::chosen(
            self.docker_context.as_deref(),
            config.as_deref(),
        ));
        if tls.is_some() {
            // As Docker's program takes it.
            all.push(said("DOCKER_TLS_VERIFY", "tcp://localhost:2376"));
        }
        let socket = |said_by: &str, path: PathBuf| Candidate {
            said_by: said_by.to_owned(),
            endpoint: Ok(Endpoint::Unix(path)),
            said: false,
            context: None,
        };
        all.push(socket("the default socket", "/var/run/docker.sock".into()));
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

    /// Those that can be chosen. What somebody has said is the only one: an engine that was named is not replaced by
    /// another that happens to answer.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let mut all = self.all();
        if all.first().is_some_and(|first| first.said) {
            all.truncate(1);
        }
        all
    }

    /// Which of [`all`](Self::all) is used: what was said, or else the first place where something is.
    pub(crate) fn chosen(all: &[Candidate]) -> Option<usize> {
        all.iter()
            .position(|candidate| candidate.said || candidate.absent().is_none())
    }

    /// Why the socket that is said cannot be reached by anybody.
    #[cfg(feature = "cli")]
    pub(crate) fn beyond_reach(&self) -> Option<String> {
        let said = self.host.as_deref().or(self.docker_host.as_deref());
        said.and_then(endpoint::beyond_reach)
    }

    /// The first place where something is, or else all of them with what is the matter with each.
    pub(crate) fn choose(&self) -> Result<Endpoint, String> {
        Self::choose_among(self.candidates())
    }

    fn choose_among(mut candidates: Vec<Candidate>) -> Result<Endpoint, String> {
        let reasons = |candidates: &[Candidate]| {
            let reason = |candidate: &Candidate| {
                let why = candidate.absent()?;
                Some(format!("{}: {why}", candidate.said_by))
            };
            let reasons: Vec<_> = candidates.iter().filter_map(reason).collect();
            reasons.join("; ")
        };
        let Some(chosen) = Self::chosen(&candidates) else {
            return Err(reasons(&candidates));
        };
        let candidate = candidates.swap_remove(chosen);
        match candidate.endpoint {
            Ok(endpoint) => Ok(endpoint),
            Err(_) => Err(reasons(&[candidate])),
        }
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
    fn of_the_sockets_that_are_there_the_first_in_order_is_chosen_and_each_that_is_not_is_told() {
        let here = Surroundings {
            runtime_dir: Some("/run/user/7".into()),
            home: Some("/home/me".into()),
            ..Default::default()
        };
        let mut all = here.candidates();
        let order: Vec<_> = all.iter().map(|one| one.said_by.clone()).collect();
        let names = [
            "the default socket",
            "a rootless engine's socket",
            "Docker Desktop's socket",
            "Podman's socket",
            "Podman's socket",
        ];
        assert_eq!(order, names);
        // The same places, where a test can make them.
        let folder = tempfile::tempdir().unwrap();
        for candidate in &mut all {
            if let Ok(Endpoint::Unix(path)) = &mut candidate.endpoint {
                *path = folder.path().join(path.strip_prefix("/").unwrap());
            }
        }
        let reasons = Surroundings::choose_among(all.clone()).unwrap_err();
        for name in names {
            assert!(reasons.contains(name), "{name}: {reasons}");
        }
        for candidate in all.iter().rev() {
            let Ok(Endpoint::Unix(path)) = &candidate.endpoint else {
                panic!("{}", candidate.said_by);
            };
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
            let chosen = Surroundings::choose_among(all.clone()).unwrap();
            assert_eq!(chosen, Endpoint::Unix(path.clone()));
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
        // Whatever shape the rest has.
        for (proxies, gives) in [
            ("null", false),
            ("[]", false),
            ("{}", false),
            (r#"{"default":{"httpProxy":"http://proxy"}}"#, true),
        ] {
            let config = format!(r#"{{"currentContext":"far","proxies":{proxies}}}"#);
            std::fs::write(folder.path().join("config.json"), config).unwrap();
            let chosen = here.choose().unwrap();
            assert_eq!(
                chosen,
                Endpoint::parse("ssh://me@far", None).unwrap(),
                "{proxies}"
            );
            #[cfg(feature = "cli")]
            assert_eq!(here.gives_proxies(), gives, "{proxies}");
            #[cfg(not(feature = "cli"))]
            let _ = gives;
        }
        here.docker_context = Some("near".into());
        let reason = here.choose().unwrap_err();
        assert!(reason.contains("near"), "{reason}");
        here.docker_context = Some("default".into());
        assert!(here.candidates().len() > 1);
    }
}
