//! Each verb, with everything that can become of its request and of the answer to it.

use std::sync::Arc;
use std::time::Duration;

use alveary_conformance::proxy::Method::{self, Delete, Get, Post};
use alveary_core::{
    AgentState, Error, ErrorKind, ListOptions, RemoveOptions, SpawnOptions, StopOptions,
};
use libtest_mimic::Trial;

use crate::ground::{Ground, Wanted};
use crate::kinds::{BY_THE_PROGRAM, KINDS, Kind, LASTING, OF_A_RENAME, Set};
use crate::{is_torture, scenario, scenario_by_the_program};

/// What is asked of the engine, and the call during which it is.
#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Create,
    Start,
    /// The container of the next start takes the name of the last one's.
    Rename,
    Kill,
    Remove,
    Inspect,
    List,
}

const VERBS: [(Verb, &str, Method, &str); 7] = [
    (Verb::Create, "create", Post, "/containers/create"),
    (Verb::Start, "start", Post, "/containers/*/start"),
    (Verb::Rename, "rename", Post, "/containers/*/rename"),
    (Verb::Kill, "stop", Post, "/containers/*/kill"),
    (Verb::Remove, "remove", Delete, "/containers/*"),
    (Verb::Inspect, "inspect", Get, "/containers/*/json"),
    (Verb::List, "list", Get, "/containers/json"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (verb, name, method, path) in VERBS {
        for kind in KINDS {
            if verb == Verb::Rename && !is_torture() && !OF_A_RENAME.contains(&kind.name) {
                continue;
            }
            let (once, row) = (
                format!("{name}::{}", kind.name),
                format!("{name}: {}", kind.name),
            );
            trials.push(scenario(once, row.replace('_', " "), move |ground| {
                attempt(ground, verb, kind, (method, path), true)
            }));
            if LASTING.contains(&kind.name) {
                let every = format!("{name}::{}_every_time", kind.name);
                let row = format!("{row}, every time").replace('_', " ");
                trials.push(scenario(every, row, move |ground| {
                    attempt(ground, verb, kind, (method, path), false)
                }));
            }
        }
        let paused = format!("{name}::the_engine_is_stopped_for_longer_than_anybody_waits");
        let row = format!("{name}: the engine is stopped");
        trials.push(scenario(paused, row, move |ground| {
            paused_during(ground, verb)
        }));
    }
    trials
}

/// What becomes of a change that a program asks for. Looks are tried by the API: programs only ask the same.
pub(crate) fn trials_by_the_program() -> Vec<Trial> {
    let mut trials = Vec::new();
    let changes = [
        Verb::Create,
        Verb::Start,
        Verb::Rename,
        Verb::Kill,
        Verb::Remove,
    ];
    for (verb, name, method, path) in VERBS {
        for kind in KINDS {
            let tried = is_torture() || BY_THE_PROGRAM.contains(&kind.name);
            if !(tried && changes.contains(&verb)) {
                continue;
            }
            let trial = format!("docker-cli::{name}_{}", kind.name);
            let row = format!("docker-cli, {name}: {}", kind.name).replace('_', " ");
            trials.push(scenario_by_the_program(trial, row, move |ground| {
                attempt(ground, verb, kind, (method, path), true)
            }));
        }
    }
    trials
}

async fn attempt(
    mut ground: Ground,
    verb: Verb,
    kind: Kind,
    (method, path): (Method, &str),
    once: bool,
) -> Ground {
    let mut wanted = Wanted::new();
    prepare(&mut ground, verb, &mut wanted).await;
    let when = ground.proxy.on(method, path);
    let set = (kind.set)(if once { when.once() } else { when });
    call(&mut ground, verb, &wanted, kind.lies).await;
    ground.goes_well_again(&set, (method, path)).await;
    resolve(&mut ground, verb, &wanted).await;
    ground
}

async fn paused_during(mut ground: Ground, verb: Verb) -> Ground {
    let mut wanted = Wanted::new();
    prepare(&mut ground, verb, &mut wanted).await;
    ground.proxy.pause();
    call(&mut ground, verb, &wanted, false).await;
    Set::Paused.undo(&ground.proxy);
    resolve(&mut ground, verb, &wanted).await;
    ground
}

async fn prepare(ground: &mut Ground, verb: Verb, wanted: &mut Wanted) {
    match verb {
        Verb::Create | Verb::Start => {}
        Verb::Rename => {
            ground.comes_to_be(wanted).await;
            ground.stops(&wanted.id).await;
            wanted.options = SpawnOptions::default();
        }
        Verb::Kill | Verb::Inspect | Verb::List => {
            ground.comes_to_be(wanted).await;
        }
        Verb::Remove => {
            ground.comes_to_be(wanted).await;
            ground.stops(&wanted.id).await;
        }
    }
}

/// Makes the call while something goes wrong, and judges what it says by what the engine shows.
async fn call(ground: &mut Ground, verb: Verb, wanted: &Wanted, lies: bool) {
    let backend = Arc::clone(&ground.backend);
    let id = &wanted.id;
    match verb {
        Verb::Create | Verb::Start | Verb::Rename => match ground.spawn(wanted).await {
            Some(Ok(_)) if !lies && !ground.runs(id) => {
                ground.wrong("a spawn that was answered, and nothing runs");
            }
            Some(Err(error)) if ground.runs(id) && !is_open(&error) => {
                ground.wrong(format!("it runs, and: {error}"));
            }
            Some(Err(error))
                if error.kind() == ErrorKind::Timeout && !ground.shown().is_empty() =>
            {
                ground.wrong(format!("something is there, and: {error}"));
            }
            _ => {}
        },
        Verb::Kill => {
            let options = StopOptions::default().with_grace(Duration::from_millis(500));
            let stopped = backend.stop(id, options);
            match ground.bounded("a stop", stopped).await {
                Some(Ok(exit)) if ground.runs(id) => {
                    ground.wrong(format!("it runs, and a stop says {exit:?}"));
                }
                Some(Err(error)) if !lies => not_known_as_gone(ground, &error),
                _ => {}
            }
        }
        Verb::Remove => {
            let removed = backend.remove(id, RemoveOptions::default());
            match ground.bounded("a removal", removed).await {
                Some(Ok(())) if !lies && !ground.shown_of(id).is_empty() => {
                    ground.wrong("it is there, and a removal says that it is not");
                }
                Some(Err(error)) if !ground.shown_of(id).is_empty() && !lies => {
                    not_known_as_gone(ground, &error);
                }
                _ => {}
            }
        }
        Verb::Inspect => {
            let looked = backend.inspect(id);
            match ground.bounded("an inspection", looked).await {
                Some(Ok(info)) if info.state != AgentState::Running => {
                    ground.wrong(format!("it runs, and is told as {:?}", info.state));
                }
                Some(Err(error)) if !lies => not_known_as_gone(ground, &error),
                _ => {}
            }
        }
        Verb::List => {
            let listed = backend.list(ListOptions::default());
            match ground.bounded("a list", listed).await {
                Some(Ok(listed)) if !listed.iter().any(|info| &info.id == id) => {
                    ground.wrong("it runs, and is not listed");
                }
                _ => {}
            }
        }
    }
}

fn is_open(error: &Error) -> bool {
    error.kind() == ErrorKind::Indeterminate
}

/// That nobody answers is no word about the agent.
fn not_known_as_gone(ground: &mut Ground, error: &Error) {
    if error.kind() == ErrorKind::NotFound {
        ground.wrong(format!("it is there, and: {error}"));
    }
}

/// Nothing goes wrong any more: the same call again comes to what was wanted.
async fn resolve(ground: &mut Ground, verb: Verb, wanted: &Wanted) {
    match verb {
        Verb::Create | Verb::Start | Verb::Rename => {
            if let Some(info) = ground.comes_to_be(wanted).await
                && info.state != AgentState::Running
            {
                ground.wrong(format!("after the same spawn again: {:?}", info.state));
            }
        }
        Verb::Kill => {
            ground.stops(&wanted.id).await;
        }
        Verb::Remove => {}
        Verb::Inspect | Verb::List => {
            if !ground.runs(&wanted.id) {
                ground.row.lost += 1;
            }
        }
    }
    ground.lists_what_is_there().await;
}
