//! A manager that is killed while it brings up many agents.

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use alveary_conformance::proxy::Method::Post;
use alveary_core::SwarmUid;
use futures_util::StreamExt;
use libtest_mimic::Trial;
use tokio::process::Command;

use crate::ground::{self, Ground, Limits, Wanted, Way};
use crate::{block_on, is_torture, scenario, scenario_by_the_program};

const AGENTS: usize = 20;
const AS_MANAGER: &str = "--as-a-manager-that-is-killed";

/// How often: few times in tests, many in torture.
fn rounds() -> usize {
    if is_torture() { 50 } else { 3 }
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        scenario(
            "crash::what_a_killed_manager_had_begun_is_found_by_the_next",
            "a manager is killed with -9 during a bulk spawn",
            |ground| killed(ground, rounds()),
        ),
        scenario_by_the_program(
            "docker-cli::crash_what_a_killed_manager_had_begun_is_found_by_the_next",
            "docker-cli, a manager is killed with -9 during a bulk spawn",
            |ground| killed(ground, 1),
        ),
    ]
}

/// Becomes the manager, where this program was started as one: spawns without end.
pub(crate) fn manager_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != AS_MANAGER {
        return None;
    }
    let host = arguments.next()?;
    let swarm: SwarmUid = arguments.next()?.parse().ok()?;
    let state = PathBuf::from(arguments.next()?);
    let way = arguments.next().map_or(Way::Api, Way::Cli);
    block_on(async {
        let backend = ground::connect(&way, &host, swarm, Limits::LONG, &state).await;
        let spawns = (0..AGENTS).map(|_| {
            let backend = Arc::clone(&backend);
            async move {
                let Wanted { id, spec, options } = Wanted::furnished();
                backend.spawn(&id, &spec, options).await
            }
        });
        let mut spawns = futures_util::stream::iter(spawns).buffer_unordered(8);
        while let Some(spawned) = spawns.next().await {
            spawned.unwrap();
        }
    });
    Some(ExitCode::SUCCESS)
}

async fn killed(mut ground: Ground, rounds: usize) -> Ground {
    ground.row.runs = rounds;
    for _ in 0..rounds {
        let before = ground.proxy.seen(Post, "/containers/*/start").len();
        let mut manager = Command::new(std::env::current_exe().unwrap())
            .arg(AS_MANAGER)
            .arg(ground.proxy.host())
            .arg(ground.swarm.to_string())
            .arg(ground.state())
            .args(ground.program())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // In the midst of a start, with others before it, beside it and still to come.
        let nth = before + fastrand::usize(1..AGENTS);
        ground.proxy.arrived(Post, "/containers/*/start", nth).await;
        manager.kill().await.unwrap();
        let next = ground.another_manager().await;
        ground.backend = next;
        crate::late::settled(&ground).await;
        let found = ground.lists_what_is_there().await;
        if found.is_empty() {
            ground.row.lost += 1;
        }
        for info in found {
            ground.removes(&info.id).await;
        }
    }
    ground
}
