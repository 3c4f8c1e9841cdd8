//! Backends that lose secrets, or tell them.

use std::collections::HashMap;
use std::sync::Mutex;

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    LosesSecrets:
        "secrets::a_secret_is_handed_over_as_a_file",
        "secrets::a_secret_is_a_variable_on_request",
        "secrets::a_secret_that_cannot_be_read_is_refused_by_its_key";
    MakesVariablesOfFiles:
        "secrets::a_secret_that_is_a_file_is_not_in_the_environment";
    TellsSecretsInItsInfos:
        "secrets::a_secret_that_is_a_file_is_heard_of_nowhere";
    TracesSecrets:
        "secrets::a_secret_that_is_a_file_is_heard_of_nowhere",
        "secrets::a_secret_that_is_a_variable_is_heard_of_nowhere";
    PutsVariablesIntoArguments:
        "secrets::the_value_of_a_variable_is_neither_in_arguments_nor_traced";
    TracesVariables:
        "secrets::the_value_of_a_variable_is_neither_in_arguments_nor_traced";
    TakesAnotherSecretForAnotherSpec:
        "secrets::another_value_of_a_secret_is_no_other_spec";
    TellsSecretsInItsErrors:
        "secrets::a_refusal_does_not_tell_the_secret";
}

/// The secrets that a spec holds itself.
fn given(spec: &AgentSpec) -> Vec<(String, String)> {
    spec.secrets
        .iter()
        .filter_map(|(key, secret)| match &secret.source {
            SecretSource::Given(value) => Some((key.clone(), value.expose().to_owned())),
            _ => None,
        })
        .collect()
}

#[derive(Default)]
struct LosesSecrets;

#[async_trait]
impl Flaw for LosesSecrets {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        spec.secrets.clear();
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct MakesVariablesOfFiles;

#[async_trait]
impl Flaw for MakesVariablesOfFiles {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        for secret in spec.secrets.values_mut() {
            secret.delivery = SecretDelivery::Env;
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct TellsSecretsInItsInfos(Mutex<String>);

#[async_trait]
impl Flaw for TellsSecretsInItsInfos {
    fn info(&self, mut info: AgentInfo) -> AgentInfo {
        info.image = Some(self.0.lock().unwrap().clone());
        info
    }
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        *self.0.lock().unwrap() = format!("{:?}", given(&spec));
        inner.spawn(id, &spec, options).await
    }
}

/// As a library does that prints the bodies of its requests.
#[derive(Default)]
struct TracesSecrets;

#[async_trait]
impl Flaw for TracesSecrets {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        tracing::trace!(body = ?given(&spec), "a request");
        inner.spawn(id, &spec, options).await
    }
}

/// As `docker run --env KEY=VALUE` does.
#[derive(Default)]
struct PutsVariablesIntoArguments;

#[async_trait]
impl Flaw for PutsVariablesIntoArguments {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        for (key, value) in &spec.env {
            spec.command.push(format!("--env={key}={value}"));
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct TracesVariables;

#[async_trait]
impl Flaw for TracesVariables {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        log::trace!("spawn with {:?}", spec.env);
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct TakesAnotherSecretForAnotherSpec(Mutex<HashMap<AgentId, Vec<(String, String)>>>);

#[async_trait]
impl Flaw for TakesAnotherSecretForAnotherSpec {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let secrets = given(&spec);
        let known = self.0.lock().unwrap().insert(id.clone(), secrets.clone());
        if known.is_some_and(|known| known != secrets) {
            let error = Error::new(ErrorKind::AlreadyExists, Operation::Spawn, "another spec");
            return Err(error.with_agent(id).with_cure("choose another id"));
        }
        inner.spawn(id, &spec, options).await
    }
}

#[derive(Default)]
struct TellsSecretsInItsErrors;

#[async_trait]
impl Flaw for TellsSecretsInItsErrors {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        let spawned = inner.spawn(id, &spec, options).await;
        spawned.map_err(|error| error.with_engine_words(format!("{:?}", given(&spec))))
    }
}
