//! What is carried out long after everybody has given it up, and calls that nobody waits for to their end.

use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::proxy::Method::{Any, Post};
use alveary_core::{AgentBackendExt, AgentState, ErrorKind, RemoveOptions, SpawnOptions};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use libtest_mimic::Trial;
use tokio::time::timeout;

use crate::ground::{Ground, Wanted};
use crate::{scenario, scenario_by_the_program};

const CREATE: &str = "/containers/create";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        scenario(
            "late::a_create_that_nobody_waits_for_is_inert_listed_and_swept",
            "a create is carried out after all gave up",
            inert,
        ),
        scenario_by_the_program(
            "docker-cli::late_a_create_that_nobody_waits_for_is_inert_listed_and_swept",
            "docker-cli, a create is carried out after all gave up",
            inert,
        ),
        scenario(
            "late::a_create_that_comes_after_its_retry_makes_no_second_agent",
            "a create is carried out after its retry",
            after_its_retry,
        ),
        scenario_by_the_program(
            "docker-cli::late_a_create_that_comes_after_its_retry_makes_no_second_agent",
            "docker-cli, a create is carried out after its retry",
            after_its_retry,
        ),
        scenario(
            "late::a_start_that_comes_after_all_gave_up_starts_nothing",
            "a start is carried out after all gave up",
            late_start,
        ),
        scenario_by_the_program(
            "docker-cli::late_a_start_that_comes_after_all_gave_up_starts_nothing",
            "docker-cli, a start is carried out after all gave up",
            late_start,
        ),
        scenario(
            "late::a_name_that_is_given_after_another_manager_gave_it_makes_no_second_agent",
            "a rename is carried out after another manager's",
            late_rename,
        ),
        scenario_by_the_program(
            "docker-cli::late_a_name_that_is_given_after_another_manager_gave_it_makes_no_second_agent",
            "docker-cli, a rename is carried out after another manager's",
            late_rename,
        ),
        scenario(
            "late::spawns_that_are_dropped_at_any_moment_leave_nothing_that_is_not_listed",
            "100 spawns are dropped at random moments",
            dropped,
        ),
    ]
}

async fn inert(mut ground: Ground) -> Ground {
    let wanted = Wanted::new();
    let held = ground.proxy.on(Post, CREATE).once().hold_request();
    match ground.spawn(&wanted).await {
        Some(Err(error)) if error.kind() == ErrorKind::Indeterminate => {}
        other => ground.wrong(format!("nobody knows, and a spawn says {other:?}")),
    }
    held.release();
    ground.proxy.answered(Post, CREATE, 1).await;
    let listed = ground.lists_what_is_there().await;
    match &listed[..] {
        [late] if late.state == AgentState::Pending => {}
        other => ground.wrong(format!("a late create is listed as {other:?}")),
    }
    if ground.runs(&wanted.id) {
        ground.wrong("a late create runs");
    }
    // Whoever waits for what was never started waits until it is taken away.
    let waiting = tokio::spawn({
        let (backend, id) = (Arc::clone(&ground.backend), wanted.id.clone());
        async move { backend.wait(&id).await }
    });
    let removed = ground
        .backend
        .remove(&wanted.id, RemoveOptions::default())
        .await;
    if let Err(error) = removed {
        ground.wrong(format!("sweeping it: {error}"));
    }
    let waited = ground.bounded("a wait", async { waiting.await.unwrap() });
    match waited.await {
        Some(Err(error)) if error.kind() == ErrorKind::NotFound => {}
        other => ground.wrong(format!("it was never started, and a wait says {other:?}")),
    }
    ground
}

async fn after_its_retry(mut ground: Ground) -> Ground {
    let wanted = Wanted::new();
    let held = ground.proxy.on(Post, CREATE).once().hold_request();
    ground.spawn(&wanted).await;
    ground.comes_to_be(&wanted).await;
    held.release();
    ground.proxy.answered(Post, CREATE, 2).await;
    // Still once.
    ground.comes_to_be(&wanted).await;
    ground.lists_what_is_there().await;
    ground
}

async fn late_start(mut ground: Ground) -> Ground {
    let wanted = Wanted::new();
    let path = "/containers/*/start";
    let held = ground.proxy.on(Post, path).once().hold_request();
    let Some(Err(error)) = ground.spawn(&wanted).await else {
        ground.wrong("nothing was started, and a spawn is content");
        return ground;
    };
    held.release();
    ground.proxy.answered(Post, path, 1).await;
    let there = !ground.shown().is_empty();
    if there && error.kind() != ErrorKind::Indeterminate {
        ground.wrong(format!("it is there, after {error}"));
    }
    ground.lists_what_is_there().await;
    ground
}

/// One manager comes no further than between the last start and its name; the next one goes on there.
async fn late_rename(mut ground: Ground) -> Ground {
    let mut wanted = Wanted::new();
    ground.comes_to_be(&wanted).await;
    ground.stops(&wanted.id).await;
    wanted.options = SpawnOptions::default();
    let path = "/containers/*/rename";
    let held = ground.proxy.on(Post, path).once().hold_request();
    match ground.spawn(&wanted).await {
        Some(Err(error)) if error.kind() == ErrorKind::Indeterminate => {}
        other => ground.wrong(format!("nobody knows, and a spawn says {other:?}")),
    }
    ground.backend = ground.another_manager().await;
    match &ground.lists_what_is_there().await[..] {
        [waiting] if waiting.state == AgentState::Pending => {}
        other => ground.wrong(format!("what waits for its name is listed as {other:?}")),
    }
    ground.comes_to_be(&wanted).await;
    held.release();
    // The other manager's, and the late one.
    ground.proxy.answered(Post, path, 2).await;
    ground.comes_to_be(&wanted).await;
    if !ground.runs(&wanted.id) {
        ground.wrong("it was started, and does not run");
    }
    ground.lists_what_is_there().await;
    ground
}

async fn dropped(mut ground: Ground) -> Ground {
    const SPAWNS: usize = 100;
    ground.row.runs = SPAWNS;
    let wanted: Vec<Wanted> = (0..SPAWNS).map(|_| Wanted::new()).collect();
    let mut calls: FuturesUnordered<_> = wanted
        .iter()
        .map(|wanted| {
            let Wanted { id, spec, options } = wanted;
            let patience = Duration::from_millis(fastrand::u64(0..15_000));
            timeout(patience, ground.backend.spawn(id, spec, options.clone()))
        })
        .collect();
    let mut answered = 0;
    while let Some(call) = calls.next().await {
        if let Ok(Ok(_)) = call {
            answered += 1;
        }
    }
    drop(calls);
    assert!(answered < SPAWNS, "none was dropped");
    settled(&ground).await;
    ground.lists_what_is_there().await;
    // Some of them again: what was dropped half-way is gone on with.
    for wanted in wanted.iter().step_by(20) {
        ground.comes_to_be(wanted).await;
    }
    ground.lists_what_is_there().await;
    ground
}

/// Waits until what was begun has come to its end.
pub(crate) async fn settled(ground: &Ground) {
    let mut before = usize::MAX;
    loop {
        let seen = ground.proxy.seen(Any, "/containers/**");
        if seen.len() == before && seen.iter().all(|seen| seen.over) {
            break;
        }
        before = seen.len();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ground.until_still().await;
}
