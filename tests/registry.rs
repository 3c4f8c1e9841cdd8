//! From a word to a backend: what is known, what is wrong with its settings, and what `auto` takes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::sync::Arc;

use alveary::{
    AgentBackend, BackendConfig, ConfigError, ConnectContext, Connected, Error, ErrorKind, Fleet,
    LoadOptions, MemoryBackend, Operation, Registry, Result, SwarmName, SwarmUid,
};
use async_trait::async_trait;
use serde::Deserialize;

/// A backend in memory under another name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Near {
    greeting: String,
    size: Option<u32>,
}

#[async_trait]
impl BackendConfig for Near {
    const NAME: &'static str = "near";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        if self.greeting == "fail" {
            return Err(Error::new(
                ErrorKind::Engine,
                Operation::Connect,
                "as asked",
            ));
        }
        Ok(Arc::new(MemoryBackend::new()))
    }
}

/// Registered under the name of a real one; nobody is ever there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Absent {}

#[async_trait]
impl BackendConfig for Absent {
    const NAME: &'static str = "docker-cli";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        Err(Error::new(
            ErrorKind::EngineUnavailable,
            Operation::Connect,
            "there is no docker",
        )
        .with_cure("install it"))
    }
}

/// Registered first in the written order; never answers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Silent {}

#[async_trait]
impl BackendConfig for Silent {
    const NAME: &'static str = "docker-api";

    async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
        std::future::pending().await
    }
}

fn fleet(file: &str) -> Fleet {
    fleet_with(file, &[])
}

fn fleet_with(file: &str, variables: &[(&str, &str)]) -> Fleet {
    let options = LoadOptions::default()
        .with_working_dir("/srv/demo")
        .with_environment(variables.iter().copied());
    Fleet::parse(file, "alveary.toml", &options).unwrap()
}

fn context() -> ConnectContext {
    ConnectContext::new(SwarmName::new("demo").unwrap(), SwarmUid::random())
}

async fn connect(registry: &Registry, file: &str) -> Result<Connected> {
    let prepared = registry.prepare(&fleet(file))?;
    prepared.connect(|_| Ok(context())).await
}

fn refused(registry: &Registry, fleet: &Fleet) -> ConfigError {
    registry
        .prepare(fleet)
        .map(|prepared| prepared.names().collect::<Vec<_>>())
        .unwrap_err()
}

#[tokio::test]
async fn a_word_picks_a_backend_with_its_settings() {
    let registry = Registry::new().with::<Near>();
    let connected = connect(&registry, "backend = 'near'").await.unwrap();
    assert_eq!(connected.backend.kind().as_str(), "memory");
    assert_eq!(connected.auto, None);
    let file = "backend = 'near'\n[backends.near]\ngreeting = 'fail'";
    assert_eq!(
        connect(&registry, file).await.unwrap_err().message(),
        "as asked"
    );
}

#[test]
fn an_unknown_word_is_pointed_at_and_the_known_ones_are_listed() {
    let registry = Registry::new().with::<Near>().with::<Absent>();
    let error = refused(&registry, &fleet("swarm = 'x'\nbackend = 'naer'"));
    assert_eq!(error.position(), Some((2, 11)));
    let sentence = error.to_string();
    for words in [
        "no backend `naer`",
        "did you mean `near`?",
        "`near` and `docker-cli`",
    ] {
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn an_engine_in_a_backends_place_is_told_with_the_backends_that_reach_it() {
    let registry = Registry::new().with::<Near>().with::<Absent>();
    for (engine, words) in [
        ("docker", "`docker-cli`, which calls its program"),
        (
            "podman",
            "`program = \"podman\"` in `[backends.docker-cli]`",
        ),
    ] {
        let error = refused(&registry, &fleet(&format!("backend = '{engine}'")));
        let sentence = error.to_string();
        assert!(
            sentence.contains(&format!("no backend `{engine}`")),
            "{sentence}"
        );
        assert!(sentence.contains("`docker-api`"), "{sentence}");
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn an_unknown_word_in_a_variable_is_told_with_the_variable() {
    let fleet = fleet_with("backend = 'near'", &[("ALVEARY_BACKEND", "xyzzy")]);
    let error = refused(&Registry::new().with::<Near>(), &fleet);
    assert_eq!(error.position(), None);
    assert!(error.to_string().contains("ALVEARY_BACKEND"), "{error}");
}

#[test]
fn a_backend_that_was_not_compiled_in_is_told_with_its_feature() {
    let registry = Registry::new().with::<Near>();
    let sentence = refused(&registry, &fleet("backend = 'docker-api'")).to_string();
    assert!(sentence.contains("--features docker-api"), "{sentence}");
    // Its settings may stay in the file while another is wanted.
    let file = "backend = 'near'\n[backends.docker-api]\nhost = 'x'";
    assert!(registry.prepare(&fleet(file)).is_ok());
}

#[test]
fn wrong_settings_are_pointed_at_in_the_fleet_file() {
    let registry = Registry::new().with::<Near>().with::<Absent>();
    for (file, position, words) in [
        (
            "backend = 'near'\n[backends.near]\ngreting = 'x'",
            (3, 1),
            "no key `greting` in `backends.near` (did you mean `greeting`?)",
        ),
        (
            "backend = 'near'\n[backends.near]\nsize = 'big'",
            (3, 8),
            "`backends.near.size` wants a whole number",
        ),
        // Also those of a backend that is not wanted now, and of one that nobody knows.
        (
            "backend = 'near'\n[backends.docker-cli]\nx = 1",
            (3, 1),
            "`backends.docker-cli`",
        ),
        (
            "backend = 'near'\n[backends.nera]\n",
            (2, 11),
            "did you mean `near`?",
        ),
    ] {
        let error = refused(&registry, &fleet(file));
        assert_eq!(error.position(), Some(position), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn auto_takes_the_first_that_answers_in_the_written_order_and_says_why() {
    let registry = Registry::new()
        .with::<Near>()
        .with::<Absent>()
        .with::<Silent>();
    let connected = connect(&registry, "backend = 'auto'").await.unwrap();
    let choice = connected.auto.unwrap();
    assert_eq!(choice.taken, "near");
    let tried: Vec<_> = choice.tried.iter().map(|(name, _)| *name).collect();
    assert_eq!(tried, ["docker-api", "docker-cli"]);
    let sentence = choice.to_string();
    for words in [
        "took near",
        "not docker-api",
        "did not answer",
        "there is no docker",
    ] {
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[tokio::test]
async fn auto_that_reaches_nobody_gives_every_reason() {
    let registry = Registry::new().with::<Absent>();
    let error = connect(&registry, "backend = 'auto'").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    assert!(error.to_string().contains("there is no docker"), "{error}");
    let error = connect(&Registry::new(), "backend = 'auto'")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no backend to try"), "{error}");
}

#[test]
fn one_of_the_same_name_gives_way() {
    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Other {}
    #[async_trait]
    impl BackendConfig for Other {
        const NAME: &'static str = "near";
        async fn connect(self, _: ConnectContext) -> Result<Arc<dyn AgentBackend>> {
            Ok(Arc::new(MemoryBackend::new()))
        }
    }
    let registry = Registry::new().with::<Near>().with::<Other>();
    assert_eq!(registry.names().count(), 1);
    let file = "backend = 'near'\n[backends.near]\ngreeting = 'x'";
    assert!(registry.prepare(&fleet(file)).is_err());
}

#[cfg(feature = "process")]
#[test]
fn the_process_backend_is_built_in() {
    assert!(Registry::builtin().names().any(|name| name == "process"));
    assert!(Registry::builtin().prepare(&fleet("")).is_ok());
}
