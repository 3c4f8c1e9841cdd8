//! Agents that several remove at once, one of them behind everybody's back.

use alveary_core::{
    AgentBackend, AgentId, ErrorKind, Operation, RemoveOptions, Secret, SecretSpec, SpawnOptions,
};
use futures_util::future::join_all;

use crate::common::TestEngine;
use crate::here::{Here, sh};

async fn lives(backend: &dyn AgentBackend) -> AgentId {
    let id = AgentId::random();
    let spec = sh("exec sleep 1000").secret("KEY", SecretSpec::given(Secret::new("hunter2")));
    let spawned = backend.spawn(&id, &spec, SpawnOptions::default()).await;
    spawned.expect("it starts");
    id
}

fn by_force() -> RemoveOptions {
    RemoveOptions::default().with_force(true)
}

/// Whoever comes too late is told so, and nobody is told anything else.
pub(crate) async fn whoever_removes_an_agent_at_once_with_others_leaves_nothing(
    engine: TestEngine,
) {
    let here = Here::on(&engine);
    let all = [here.api().await, here.api().await, here.cli().await];
    for starter in [&all[0], &all[2]] {
        let id = lives(&**starter).await;
        let (client, name) = (engine.clone(), here.name_of(&id));
        // Not waited for here, so that the others do not come after it.
        let by_hand = tokio::task::spawn_blocking(move || client.try_client(&["rm", "-f", &name]));
        let removed = join_all(all.iter().map(|backend| backend.remove(&id, by_force()))).await;
        by_hand.await.expect("the engine's client runs");
        for (backend, removed) in all.iter().zip(removed) {
            let by = backend.kind();
            if let Err(error) = removed {
                assert_eq!(error.kind(), ErrorKind::NotFound, "by {by}: {error}");
            }
            is_forgotten(&here, &**backend, &id).await;
        }
    }

    // Of one that nobody here has removed, the secrets are left to who asks for it.
    for backend in &all[1..] {
        let id = lives(&**backend).await;
        engine.client(&["rm", "-f", &here.name_of(&id)]);
        let error = backend
            .remove(&id, by_force())
            .await
            .expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(error.operation(), Operation::Remove, "{error}");
        is_forgotten(&here, &**backend, &id).await;
    }
}

async fn is_forgotten(here: &Here, backend: &dyn AgentBackend, id: &AgentId) {
    let by = backend.kind();
    let error = backend.inspect(id).await.expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "by {by}: {error}");
    assert_eq!(here.containers(), Vec::<String>::new(), "by {by}");
    assert!(!here.secrets().join(id.as_str()).exists(), "by {by}");
}
