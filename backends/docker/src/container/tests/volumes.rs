//! Volumes that a spec names and that the swarm does not make.

use super::*;

fn with(mounts: &[&str]) -> AgentSpec {
    let mut spec = spec();
    spec.container.mounts = mounts.iter().map(|mount| mount.parse().unwrap()).collect();
    spec
}

async fn spawned(containers: &Containers<Fake>, mounts: &[&str]) -> Result<AgentInfo> {
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    containers.spawn(&id, &with(mounts), options).await
}

fn with_images() -> (Fake, Containers<Fake>) {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    (engine, containers)
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_is_not_there_is_refused_before_anything_is_made() {
    let (engine, containers) = with_images();
    *engine.0.volumes.lock().unwrap() = vec!["data"];
    let refused = spawned(&containers, &["data:/data", "dta:/more"]).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{error}");
    assert!(error.to_string().contains("`dta`"), "{error}");
    assert!(error.cure().is_some(), "{error}");
    assert!(engine.0.containers.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_was_seen_is_believed_in_for_a_while() {
    let (engine, containers) = with_images();
    *engine.0.volumes.lock().unwrap() = vec!["data"];
    for mounts in [&["data:/data"][..], &["data:/here", "data:/there"], &[]] {
        spawned(&containers, mounts).await.unwrap();
    }
    assert_eq!(*engine.0.sought.lock().unwrap(), ["data"]);
    engine.0.volumes.lock().unwrap().clear();
    tokio::time::advance(Duration::from_mins(2)).await;
    let refused = spawned(&containers, &["data:/data"]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidSpec);
}

/// As behind a proxy that lets nobody ask for volumes.
#[tokio::test(start_paused = true)]
async fn whether_it_is_there_is_the_engines_to_say_where_nobody_may_ask() {
    let (engine, containers) = with_images();
    *engine.0.hides_volumes.lock().unwrap() = true;
    spawned(&containers, &["data:/data"]).await.unwrap();
}
