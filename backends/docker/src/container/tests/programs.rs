//! What is believed of the program that an agent is to run, and of whom.

use super::*;

/// An engine whose images have what is run, until they are empty.
fn full() -> (Fake, Containers<Fake>) {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    *engine.0.volumes.lock().unwrap() = vec!["mine", "work", "yours"];
    (engine, containers)
}

fn with(section: serde_json::Value) -> AgentSpec {
    let mut spec = spec();
    spec.container = serde_json::from_value(section).unwrap();
    spec.container.image = Some("far:1".to_owned());
    spec
}

async fn spawned(containers: &Containers<Fake>, spec: &AgentSpec) -> Result<AgentInfo> {
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    containers.spawn(&id, spec, options).await
}

/// The one starts while all is there, and then the other is looked at anew and refused.
async fn is_not_believed_for(one: AgentSpec, other: AgentSpec) {
    let (engine, containers) = full();
    spawned(&containers, &one).await.unwrap();
    *engine.0.empty.lock().unwrap() = true;
    let refused = spawned(&containers, &other).await;
    let said = format!("{one:?} and {other:?}");
    assert_eq!(refused.expect_err(&said).kind(), ErrorKind::InvalidSpec);
}

#[tokio::test(start_paused = true)]
async fn what_an_image_has_is_looked_at_once_for_all_its_agents() {
    let (engine, containers) = full();
    spawned(&containers, &spec()).await.unwrap();
    let looked = engine.0.looked.load(Ordering::SeqCst);
    assert!(looked > 0);
    // What is mounted elsewhere changes nothing of it.
    let beside = with(serde_json::json!({ "mounts": ["work:/work"] }));
    for spec in [spec(), beside] {
        spawned(&containers, &spec).await.unwrap();
    }
    assert_eq!(engine.0.looked.load(Ordering::SeqCst), looked);
}

#[tokio::test(start_paused = true)]
async fn what_one_agent_mounts_is_not_believed_of_another() {
    let mounts = |what: &str| with(serde_json::json!({ "mounts": [what] }));
    is_not_believed_for(mounts("mine:/bin"), mounts("yours:/bin")).await;
    is_not_believed_for(mounts("mine:/bin"), spec()).await;
    is_not_believed_for(spec(), mounts("yours:/bin")).await;
    let in_memory = with(serde_json::json!({ "tmpfs": ["/bin"] }));
    is_not_believed_for(spec(), in_memory).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_looked_at_is_not_believed() {
    let without = with(serde_json::json!({ "init": false }));
    is_not_believed_for(without, spec()).await;
    is_not_believed_for(spec(), spec().env("PATH", "/elsewhere")).await;
    let of_mine = |section| with(section);
    let mounted =
        of_mine(serde_json::json!({ "workdir": "/work", "mounts": ["work:/work"], "init": false }));
    let bare = of_mine(serde_json::json!({ "workdir": "/work", "init": false }));
    is_not_believed_for(mounted, bare).await;
}
