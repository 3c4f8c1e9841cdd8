//! Nothing fails here: what a start costs the engine, counted on the way to it.

use alveary_conformance::proxy::Method::Any;
use libtest_mimic::Trial;

use crate::ground::{Ground, Wanted};
use crate::scenario;

pub(crate) fn trials() -> Vec<Trial> {
    vec![scenario(
        "requests::a_spawn_is_a_create_and_a_start_and_no_more",
        "a spawn: two requests",
        a_spawn_is_a_create_and_a_start,
    )]
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
