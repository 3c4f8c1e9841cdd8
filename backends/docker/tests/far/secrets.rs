//! Secrets for agents of another host.

use std::sync::Arc;

use alveary_core::{AgentBackend, AgentId, ErrorKind, Secret, SecretSpec, SpawnOptions, SwarmUid};

use crate::common::TestEngine;
use crate::here::{remove_all, sh, written};
use crate::tls::{certificates, secured};

pub(crate) async fn they_go_to_another_host_as_variables_and_in_no_other_way(engine: TestEngine) {
    let here = secured(&engine, Some(certificates(&engine)));
    for backend in [here.api().await, here.cli().await] {
        is_a_variable_or_refused(&here.containers(), &backend).await;
        remove_all(&*backend).await;
    }
}

async fn is_a_variable_or_refused(before: &[String], backend: &Arc<dyn AgentBackend>) {
    assert!(before.is_empty());
    // A value of its own, so that nobody has put it anywhere before.
    let value = SwarmUid::random().to_string();
    let secret = || SecretSpec::given(Secret::new(value.clone()));
    let says = || sh("echo \"it is $KEY\"; sleep 1000");
    let refused = backend
        .spawn(
            &AgentId::random(),
            &says().secret("KEY", secret()),
            SpawnOptions::default(),
        )
        .await
        .expect_err("a folder of this host is not over there");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    let cure = refused.cure().unwrap_or_default();
    assert!(cure.contains("as = \"env\""), "{refused}");
    assert!(!format!("{refused:?}").contains(&value));
    let id = AgentId::random();
    let asked = says().secret("KEY", secret().as_env());
    let spawned = backend.spawn(&id, &asked, SpawnOptions::default()).await;
    spawned.expect("it starts");
    written(&**backend, &id, &format!("it is {value}\n")).await;
}
