//! The two ways to one engine are two managers of one swarm.

use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, EndedBy, ExitStatus, ListOptions, LogOptions, LogStreamKind,
    SpawnOptions, StopOptions,
};

use crate::common::TestEngine;
use crate::here::{Here, remove_all, until_term, written};

pub(crate) async fn what_one_way_started_the_other_lists_follows_and_ends(engine: TestEngine) {
    let here = Here::on(&engine);
    let (api, cli) = (here.api().await, here.cli().await);
    started_here_and_ended_there(&here, &api, &cli).await;
    started_here_and_ended_there(&here, &cli, &api).await;
}

async fn started_here_and_ended_there(
    here: &Here,
    one: &Arc<dyn AgentBackend>,
    other: &Arc<dyn AgentBackend>,
) {
    let id = AgentId::random();
    let spec = until_term(7).capability("summarise");
    one.spawn(&id, &spec, SpawnOptions::default())
        .await
        .expect("it starts");
    written(&**one, &id, "ready\n").await;
    let mine = one.list(ListOptions::default()).await.expect("a list");
    let theirs = other.list(ListOptions::default()).await.expect("a list");
    assert_eq!(mine, theirs, "both are told the same of it");
    let follow = other
        .logs(&id, LogOptions::default().with_follow(true))
        .await
        .expect("it is followed");
    let followed = tokio::spawn(follow.collect_bytes(LogStreamKind::Stdout));
    let exit = other
        .stop(&id, StopOptions::default())
        .await
        .expect("it ends");
    assert_eq!(exit.status, ExitStatus::Code(7));
    assert_eq!(exit.by, EndedBy::Us);
    let output = followed.await.expect("no panic").expect("read to its end");
    assert_eq!(String::from_utf8_lossy(&output), "ready\ncaught\n");
    let told = one.inspect(&id).await.expect("it is there");
    assert_eq!(
        told.exit(),
        Some(&exit),
        "who started it is told the same end"
    );
    remove_all(&**other).await;
    assert_eq!(here.containers(), Vec::<String>::new(), "nothing is left");
}

pub(crate) async fn a_start_that_one_way_made_is_found_by_the_other(engine: TestEngine) {
    let here = Here::on(&engine);
    let (api, cli) = (here.api().await, here.cli().await);
    let (id, options) = (AgentId::random(), SpawnOptions::default());
    let spec = until_term(0);
    let spawns = [&api, &cli].map(|backend| backend.spawn(&id, &spec, options.clone()));
    for spawned in futures_util::future::join_all(spawns).await {
        let info = spawned.expect("both are told of one start");
        assert_eq!(info.incarnation, options.incarnation);
    }
    assert_eq!(
        here.containers(),
        [here.name_of(&id)],
        "there is one container"
    );
    remove_all(&*api).await;
}
