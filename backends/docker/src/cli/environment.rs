//! What the program is given of our own environment. Nothing else reaches it, and nothing of an agent's: a
//! variable named `DOCKER_HOST`, `HOME` or `LD_PRELOAD` would steer the program itself.

use std::ffi::OsString;

use crate::config::Settings;
use crate::find::{Candidate, Surroundings};

/// What Docker's and Podman's programs are steered by, as their users expect.
const HANDED_ON: [&str; 33] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION",
    "CONTAINER_HOST",
    "CONTAINER_CONNECTION",
    "CONTAINER_SSHKEY",
    "CONTAINERS_CONF",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "REGISTRY_AUTH_FILE",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The program's environment.
pub(super) fn of_program(
    settings: &Settings,
    here: &Surroundings,
    ours: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = HANDED_ON
        .iter()
        .filter_map(|key| {
            // Podman takes an empty one for one that names an engine elsewhere.
            let value = ours(key).filter(|value| !value.is_empty())?;
            Some((OsString::from(key), value))
        })
        .collect();
    if let Some(folder) = &settings.certificates {
        leave_out(
            &mut env,
            &["DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"],
        );
        env.push(("DOCKER_TLS_VERIFY".into(), "1".into()));
        env.push(("DOCKER_CERT_PATH".into(), folder.into()));
    }
    let mut set = |host: String| {
        leave_out(
            &mut env,
            &[
                "DOCKER_HOST",
                "DOCKER_CONTEXT",
                "CONTAINER_HOST",
                "CONTAINER_CONNECTION",
            ],
        );
        env.push(("DOCKER_HOST".into(), host.clone().into()));
        env.push(("CONTAINER_HOST".into(), host.into()));
    };
    if let Some(host) = &settings.host {
        set(host.clone());
    } else if !speaks_podman(settings)
        && here.candidates().len() > 1
        && let Ok(found) = here.choose()
    {
        // Docker's program knows its default socket alone.
        set(found.to_string());
    }
    // What is read from them is compared with English words.
    env.push(("LC_ALL".into(), "C".into()));
    env
}

/// The program's environment for an engine at this place, whatever else is said.
pub(super) fn of_program_at(
    settings: &Settings,
    here: &Surroundings,
    candidate: &Candidate,
    ours: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut env = of_program(settings, here, ours);
    // A context has more than an address, and the program has it from its own files.
    if let (Ok(endpoint), false) = (&candidate.endpoint, candidate.context.is_some()) {
        leave_out(&mut env, &["DOCKER_HOST", "DOCKER_CONTEXT"]);
        env.push(("DOCKER_HOST".into(), endpoint.to_string().into()));
    }
    if let Some(context) = &candidate.context {
        leave_out(&mut env, &["DOCKER_HOST", "DOCKER_CONTEXT"]);
        env.push(("DOCKER_CONTEXT".into(), context.into()));
    }
    env
}

fn leave_out(env: &mut Vec<(OsString, OsString)>, keys: &[&str]) {
    env.retain(|(key, _)| !keys.iter().any(|left_out| key == left_out));
}

/// Whether the engine's host is this one, as far as can be told without asking it.
pub(super) fn is_local(
    settings: &Settings,
    here: &Surroundings,
    ours: impl Fn(&str) -> Option<OsString>,
) -> bool {
    if !speaks_podman(settings) {
        return here.choose().is_ok_and(|endpoint| endpoint.is_local());
    }
    let said = |key: &str| ours(key).filter(|value| !value.is_empty());
    let host = settings.host.clone().map(OsString::from);
    match host.or_else(|| said("CONTAINER_HOST")) {
        Some(host) => host.to_string_lossy().starts_with("unix://"),
        // Where a connection of a name leads to, and that which is the usual one of a program for other hosts, only the
        // program knows.
        None => said("CONTAINER_CONNECTION").is_none() && !is_remote(settings),
    }
}

/// Whether the program has no engine in it: it is Podman's for engines elsewhere.
fn is_remote(settings: &Settings) -> bool {
    program(settings).starts_with("podman-remote")
}

/// Whether the program is called as Podman's is: it finds its engine in its own ways.
pub(super) fn speaks_podman(settings: &Settings) -> bool {
    program(settings).starts_with("podman")
}

/// What the program is called, without its folder.
fn program(settings: &Settings) -> &str {
    let program = settings.program.as_deref().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(settings: &Settings, here: &Surroundings) -> Vec<(String, String)> {
        let ours = |key: &str| Some(format!("our {key}").into());
        of_program(settings, here, ours)
            .into_iter()
            .map(|(key, value)| (key.into_string().unwrap(), value.into_string().unwrap()))
            .collect()
    }

    fn get<'a>(env: &'a [(String, String)], key: &str) -> Option<&'a str> {
        let mut found = env
            .iter()
            .filter(|(k, _)| k == key)
            .map(|(_, value)| value.as_str());
        let value = found.next();
        assert_eq!(found.next(), None, "{key} is set twice");
        value
    }

    #[test]
    fn what_the_caller_says_of_its_engine_reaches_the_program_and_nothing_else_does() {
        let here = Surroundings {
            docker_host: Some("unix:///run/x.sock".into()),
            ..Surroundings::default()
        };
        let env = env(&Settings::default(), &here);
        assert_eq!(get(&env, "DOCKER_HOST"), Some("our DOCKER_HOST"));
        assert_eq!(get(&env, "SSH_AUTH_SOCK"), Some("our SSH_AUTH_SOCK"));
        for key in [
            "LD_PRELOAD",
            "LANG",
            "GODEBUG",
            "BASH_ENV",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert_eq!(get(&env, key), None);
        }
    }

    #[test]
    fn the_settings_say_where_the_engine_is_before_anybody_else() {
        let settings = Settings {
            host: Some("unix:///run/mine.sock".into()),
            ..Settings::default()
        };
        let env = env(&settings, &Surroundings::default());
        assert_eq!(get(&env, "DOCKER_HOST"), Some("unix:///run/mine.sock"));
        assert_eq!(get(&env, "CONTAINER_HOST"), Some("unix:///run/mine.sock"));
        assert_eq!(get(&env, "DOCKER_CONTEXT"), None);
    }

    #[test]
    fn the_program_secures_its_connections_as_the_settings_say() {
        let settings = Settings {
            certificates: Some("/srv/certificates".into()),
            ..Settings::default()
        };
        let env = env(&settings, &Surroundings::default());
        assert_eq!(get(&env, "DOCKER_TLS_VERIFY"), Some("1"));
        assert_eq!(get(&env, "DOCKER_CERT_PATH"), Some("/srv/certificates"));
        assert_eq!(get(&env, "DOCKER_TLS"), None);
    }

    #[test]
    fn podman_is_of_this_host_where_nothing_says_that_it_is_not() {
        let local = |program: &str, said: &[(&str, &str)]| {
            let settings = Settings {
                program: Some(program.into()),
                ..Settings::default()
            };
            let ours = |key: &str| {
                let found = said.iter().find(|(said, _)| *said == key);
                found.map(|(_, value)| OsString::from(value))
            };
            is_local(&settings, &Surroundings::default(), ours)
        };
        assert!(local("/usr/bin/podman", &[]));
        assert!(local("podman", &[("CONTAINER_CONNECTION", "")]));
        assert!(!local("podman", &[("CONTAINER_CONNECTION", "far")]));
        assert!(!local("/usr/bin/podman-remote", &[]));
        let here = ("CONTAINER_HOST", "unix:///run/podman.sock");
        for program in ["podman", "podman-remote"] {
            assert!(local(program, &[here, ("CONTAINER_CONNECTION", "far")]));
            assert!(!local(program, &[("CONTAINER_HOST", "ssh://core@far")]));
        }
    }
}
