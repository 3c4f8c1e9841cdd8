//! The engines that tests run on, as `tests/engines/engine run` names them.

use std::process::Command;

/// An engine that a test may use.
#[derive(Debug, Clone)]
pub(crate) struct TestEngine {
    /// `docker-20`, `docker-new`, `podman`.
    pub(crate) name: String,
    /// `unix:///…`
    pub(crate) host: String,
}

/// What all tests' agents are made from.
pub(crate) const IMAGE: &str = "alveary-test/busybox:1";

/// What helps where an engine is missing.
pub(crate) const CURE: &str =
    "no such engine is said to be there: run this by `tests/engines/engine run all -- cargo test`";

/// Whether a missing engine is a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// The engines that are said to be there.
pub(crate) fn engines() -> Vec<TestEngine> {
    let said = std::env::var("ALVEARY_TEST_ENGINES").unwrap_or_default();
    said.split(',')
        .filter_map(|engine| engine.split_once('='))
        .map(|(name, host)| TestEngine {
            name: name.to_owned(),
            host: host.to_owned(),
        })
        .collect()
}

impl TestEngine {
    /// The engine of this name; where none is said to be there, one that nobody reaches, so that its trials are
    /// listed with the cure.
    pub(crate) fn named(name: &str) -> Self {
        let found = engines().into_iter().find(|engine| engine.name == name);
        found.unwrap_or_else(|| Self {
            name: name.to_owned(),
            host: "unix:///nonexistent/start-one-with-tests/engines/engine".to_owned(),
        })
    }

    pub(crate) fn is_there(name: &str) -> bool {
        engines().iter().any(|engine| engine.name == name)
    }

    /// The client program that came with the engine.
    pub(crate) fn program(&self) -> String {
        let key = self.name.to_uppercase().replace('-', "_");
        std::env::var(format!("ALVEARY_TEST_CLI_{key}")).unwrap_or_else(|_| "docker".to_owned())
    }

    /// Runs the engine's own client, for what a test does behind the backend's back.
    pub(crate) fn client(&self, args: &[&str]) -> String {
        let output = self.try_client(args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn try_client(&self, args: &[&str]) -> std::process::Output {
        Command::new(self.program())
            .args(args)
            .env("DOCKER_HOST", &self.host)
            .env("CONTAINER_HOST", &self.host)
            .output()
            .expect("the engine's client runs")
    }
}
