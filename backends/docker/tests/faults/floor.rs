//! Nothing fails here: what a start costs the engine, counted on the way to it.

use alveary_conformance::proxy::Method::{Any, Get};
use alveary_core::{AgentBackendExt, StopOptions};
use libtest_mimic::Trial;

use crate::ground::{Ground, Wanted};
use crate::{scenario, scenario_by_the_program};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        scenario(
            "requests::a_spawn_is_a_create_and_a_start_and_no_more",
            "a spawn: two requests",
            a_spawn_is_a_create_and_a_start,
        ),
        scenario(
            "requests::a_stop_by_force_and_a_removal_look_three_times_and_no_more",
            "a stop by force and a removal: five requests",
            an_end_is_seen_and_taken_away,
        ),
        scenario_by_the_program(
            "requests::docker_cli_a_list_asks_for_no_sizes",
            "docker-cli, a list: no sizes",
            a_list_asks_for_no_sizes,
        ),
    ]
}

/// A program that is asked for all of it as JSON has the engine count what each container has written.
async fn a_list_asks_for_no_sizes(mut ground: Ground) -> Ground {
    ground.comes_to_be(&Wanted::new()).await;
    ground.lists_what_is_there().await;
    let lists = ground.proxy.seen(Get, "/containers/json");
    if lists.is_empty() {
        ground.wrong("no list was asked for");
    }
    for seen in lists {
        if seen.query.contains("size=1") || seen.query.contains("size=true") {
            ground.wrong(format!("the engine was asked for {}", seen.query));
        }
    }
    ground
}

/// Whose it is, how it ended, and whether anything waits to take its place.
async fn an_end_is_seen_and_taken_away(mut ground: Ground) -> Ground {
    let Some(agent) = ground.comes_to_be(&Wanted::new()).await else {
        return ground;
    };
    let before = ground.proxy.seen(Any, "/**").len();
    let ended = ground
        .backend
        .stop_and_remove(&agent.id, StopOptions::by_force())
        .await;
    if let Err(error) = ended {
        ground.wrong(error.to_string());
    }
    let container = agent.handle.unwrap_or_default();
    let name = format!("faults-{}-{}", ground.swarm, agent.id);
    let next = format!("faults-{}.{}", ground.swarm, agent.id);
    let needed = [
        ("GET", format!("/containers/{name}/json")),
        ("POST", format!("/containers/{container}/kill")),
        ("GET", format!("/containers/{container}/json")),
        ("DELETE", format!("/containers/{container}")),
        ("GET", format!("/containers/{next}/json")),
    ];
    let seen = ground.proxy.seen(Any, "/**");
    let mut asked: Vec<(&str, String)> = seen[before..]
        .iter()
        .map(|seen| (seen.method.as_str(), seen.path.clone()))
        .collect();
    // An engine may answer the force before the end: then it is waited for, and looked at once more.
    let waited = asked.iter().position(|(_, path)| path.ends_with("/wait"));
    if let Some(at) = waited {
        asked.drain(at..(at + 2).min(asked.len()));
    }
    if asked != needed {
        ground.wrong(format!("the engine was asked {asked:?}"));
    }
    ground
}

async fn a_spawn_is_a_create_and_a_start(mut ground: Ground) -> Ground {
    // With the first of its image and its program, these are looked at.
    ground.comes_to_be(&Wanted::new()).await;
    let before = ground.proxy.seen(Any, "/**").len();
    let Some(agent) = ground.comes_to_be(&Wanted::new()).await else {
        return ground;
    };
    let seen = ground.proxy.seen(Any, "/**");
    let asked: Vec<(&str, &str)> = seen[before..]
        .iter()
        .map(|seen| (seen.method.as_str(), seen.path.as_str()))
        .collect();
    let start = format!("/containers/{}/start", agent.handle.unwrap_or_default());
    let needed = [("POST", "/containers/create"), ("POST", start.as_str())];
    if asked != needed {
        ground.wrong(format!("the engine was asked {asked:?}"));
    }
    ground
}
