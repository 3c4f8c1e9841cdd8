//! What is asked of an engine besides agents' lives, with everything that can become of the request and of the answer:
//! programs beside agents, their files, what they use up, holding them still, networks and volumes.

use std::sync::Arc;

use alveary_conformance::proxy::Method::{self, Delete, Get, Post, Put};
use alveary_conformance::{TarEntry, read_tar, write_tar};
use alveary_core::{
    AgentBackend, AgentId, AgentPath, ByteSize, DiscardOptions, Error, ErrorKind, ExecSpec,
    ExitStatus, Operation, PauseOptions, PutOptions, RemoveOptions, RestartBy,
};
use futures_util::TryStreamExt;
use libtest_mimic::Trial;

use crate::ground::{Ground, Wanted, passes};
use crate::kinds::{KINDS, Kind, OF_WHAT_IS_BESIDES};
use crate::{is_torture, scenario};

/// What is asked for, and the call during which it is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Verb {
    Network,
    Volume,
    Join,
    Discard,
    Update,
    Pause,
    Unpause,
    Prepare,
    Run,
    Ended,
    Put,
    Get,
    Usage,
}

const VERBS: [(Verb, &str, Method, &str); 13] = [
    (Verb::Network, "network", Post, "/networks/create"),
    (Verb::Volume, "volume", Post, "/volumes/create"),
    (Verb::Join, "join", Post, "/networks/*/connect"),
    (Verb::Discard, "discard", Delete, "/networks/*"),
    (Verb::Update, "update", Post, "/containers/*/update"),
    (Verb::Pause, "pause", Post, "/containers/*/pause"),
    (Verb::Unpause, "unpause", Post, "/containers/*/unpause"),
    (Verb::Prepare, "exec", Post, "/containers/*/exec"),
    (Verb::Run, "exec_start", Post, "/exec/*/start"),
    (Verb::Ended, "exec_look", Get, "/exec/*/json"),
    (Verb::Put, "put", Put, "/containers/*/archive"),
    (Verb::Get, "get", Get, "/containers/*/archive"),
    (Verb::Usage, "stats", Get, "/containers/*/stats"),
];

/// A program may be silent for as long as it likes.
const SILENT: [&str; 1] = ["headers_come_and_then_nothing"];

const CONTENTS: &[u8] = b"what was put";
const SAID: &[u8] = b"what was said\n";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (verb, name, method, path) in VERBS {
        for kind in KINDS {
            let tried = is_torture() || OF_WHAT_IS_BESIDES.contains(&kind.name);
            if !tried || (verb == Verb::Run && SILENT.contains(&kind.name)) {
                continue;
            }
            let trial = format!("besides::{name}_{}", kind.name);
            let row = format!("{name}: {}", kind.name).replace('_', " ");
            trials.push(scenario(trial, row, move |ground| {
                attempt(ground, verb, kind, (method, path))
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
) -> Ground {
    let wanted = wanted(verb);
    prepare(&mut ground, verb, &wanted).await;
    let set = (kind.set)(ground.proxy.on(method, path).once());
    let said = call(&mut ground, verb, &wanted).await;
    ground.goes_well_again(&set, (method, path)).await;
    if let Some(Err(error)) = &said
        && !kind.lies
        && !is_of_the_engine(error)
    {
        ground.wrong(format!("the engine fails, and: {error}"));
    }
    if let Some(Err(error)) = &said
        && matches!(verb, Verb::Prepare | Verb::Run | Verb::Ended)
        && error.agent() != Some(&wanted.id)
    {
        ground.wrong(format!("beside whom it was to run is not told: {error}"));
    }
    if ground.proxy.seen(method, path).is_empty() {
        ground.wrong("nothing of the kind was asked of the engine");
    }
    // Whoever was told that it is done is not told so while it is not.
    if let Some(Ok(())) = said
        && !kind.lies
        && let Some(amiss) = amiss(&ground, verb, &wanted).await
    {
        ground.wrong(format!("it is said to be done, and {amiss}"));
    }
    // Nothing goes wrong any more: the same call again comes to what was wanted.
    let backend = Arc::clone(&ground.backend);
    let again = ground
        .at_last("the same call again", || ask(&*backend, verb, &wanted))
        .await;
    match again {
        // Who believed that it had joined has started, and joins no more.
        Some(Ok(())) if kind.lies && verb == Verb::Join => {}
        Some(Ok(())) => {
            if let Some(amiss) = amiss(&ground, verb, &wanted).await {
                ground.wrong(format!("after the same call again {amiss}"));
            }
        }
        Some(Err(error)) => ground.wrong(format!("the same call again: {error}")),
        None => {}
    }
    if verb == Verb::Pause {
        let thawed = ground
            .at_last("a thaw", || ask(&*backend, Verb::Unpause, &wanted))
            .await;
        if let Some(Err(error)) = thawed {
            ground.wrong(format!("it stays paused: {error}"));
        }
    }
    ground.lists_what_is_there().await;
    ground
}

fn wanted(verb: Verb) -> Wanted {
    match verb {
        Verb::Network | Verb::Volume | Verb::Discard => Wanted::furnished(),
        Verb::Join => {
            let mut wanted = Wanted::furnished();
            wanted.spec.container.networks.push("bridge".to_owned());
            wanted
        }
        Verb::Update => {
            let mut wanted = Wanted::new();
            wanted.spec.restart.policy = alveary_core::RestartPolicy::Always;
            wanted.spec.restart.by = RestartBy::Engine;
            wanted
        }
        _ => Wanted::new(),
    }
}

async fn prepare(ground: &mut Ground, verb: Verb, wanted: &Wanted) {
    if matches!(verb, Verb::Network | Verb::Volume | Verb::Join) {
        return;
    }
    ground.comes_to_be(wanted).await;
    let backend = Arc::clone(&ground.backend);
    match verb {
        Verb::Unpause => {
            let paused = backend.pause().unwrap();
            paused
                .freeze(&wanted.id, PauseOptions::default())
                .await
                .unwrap();
        }
        Verb::Get => ask(&*backend, Verb::Put, wanted).await.unwrap(),
        Verb::Discard => {
            ground.stops(&wanted.id).await;
            let removed = backend.remove(&wanted.id, RemoveOptions::default());
            removed.await.unwrap();
        }
        _ => {}
    }
}

async fn call(ground: &mut Ground, verb: Verb, wanted: &Wanted) -> Option<Result<(), Error>> {
    let backend = Arc::clone(&ground.backend);
    ground
        .bounded(&format!("{verb:?}"), ask(&*backend, verb, wanted))
        .await
}

async fn ask(backend: &dyn AgentBackend, verb: Verb, wanted: &Wanted) -> Result<(), Error> {
    let Wanted { id, spec, options } = wanted;
    match verb {
        Verb::Network | Verb::Volume | Verb::Join => {
            backend.spawn(id, spec, options.clone()).await.map(drop)
        }
        Verb::Discard => {
            let all = DiscardOptions::default().with_volumes(true);
            let discarded = backend.belongings().unwrap().discard(all).await?;
            match discarded.left.into_iter().next() {
                Some((_, error)) => Err(error),
                None => Ok(()),
            }
        }
        Verb::Update => backend
            .stop(id, alveary_core::StopOptions::default())
            .await
            .map(drop),
        Verb::Pause => {
            let pause = backend.pause().unwrap();
            pause.freeze(id, PauseOptions::default()).await
        }
        Verb::Unpause => {
            let pause = backend.pause().unwrap();
            pause.thaw(id, PauseOptions::default()).await
        }
        Verb::Prepare | Verb::Run | Verb::Ended => runs_a_program(backend, id).await,
        Verb::Put => {
            let file = TarEntry::file("put", 0o644, CONTENTS);
            let archive = write_tar(&[file]).into_iter().collect::<bytes::Bytes>();
            let files = backend.files().unwrap();
            let place = AgentPath::new("/tmp").unwrap();
            files
                .put(id, &place, archive.into(), PutOptions::default())
                .await
        }
        Verb::Get => gets_what_was_put(backend, id).await,
        Verb::Usage => backend.stats().unwrap().read(id).await.map(drop),
    }
}

/// All that it wrote and how it ended; what is not that is no success.
async fn runs_a_program(backend: &dyn AgentBackend, id: &AgentId) -> Result<(), Error> {
    let spec = ExecSpec::new(["sh", "-c", "echo what was said; exit 3"]);
    let execution = backend.exec().unwrap().run(id, &spec).await?;
    let collected = execution.collect(ByteSize(1 << 20)).await?;
    assert_eq!(collected.stdout, SAID);
    match collected.status {
        ExitStatus::Code(3) | ExitStatus::Unknown { .. } => Ok(()),
        status => panic!("it is said to have ended with {status:?}"),
    }
}

async fn gets_what_was_put(backend: &dyn AgentBackend, id: &AgentId) -> Result<(), Error> {
    let path = AgentPath::new("/tmp/put").unwrap();
    let archive = backend.files().unwrap().get(id, &path).await?;
    let archive: Vec<bytes::Bytes> = archive.try_collect().await?;
    // Whoever unpacks what an engine makes up finds that out; what is an archive is the right one.
    let entries = read_tar(&archive.concat())
        .map_err(|why| Error::new(ErrorKind::Engine, Operation::GetFiles, why))?;
    assert_eq!(entries, [TarEntry::file("put", 0o644, CONTENTS)]);
    Ok(())
}

/// What an engine that fails may be told as: neither the agent nor its spec is at fault.
fn is_of_the_engine(error: &Error) -> bool {
    passes(error) || error.kind() == ErrorKind::Engine
}

/// What the engine itself shows that is not as it should be.
async fn amiss(ground: &Ground, verb: Verb, wanted: &Wanted) -> Option<String> {
    let shown = ground.shown_of(&wanted.id);
    let states: Vec<&str> = shown.iter().map(|one| one.state.as_str()).collect();
    let expected: &[&str] = match verb {
        Verb::Discard => &[],
        Verb::Update => &["exited"],
        Verb::Pause => &["paused"],
        _ => &["running"],
    };
    if states != expected {
        return Some(format!("the engine shows {states:?}"));
    }
    match verb {
        Verb::Discard | Verb::Network | Verb::Volume | Verb::Join => {
            let own = ground.belongings();
            let expected = if verb == Verb::Discard { 0 } else { 2 };
            if own.len() != expected {
                return Some(format!("of the swarm's own there is {own:?}"));
            }
            let joined = ground.networks_of(&wanted.id);
            let named = joined.iter().any(|network| network == "bridge");
            (verb == Verb::Join && !named).then(|| format!("it is in {joined:?}"))
        }
        Verb::Put => {
            let got = gets_what_was_put(&*ground.backend, &wanted.id).await;
            got.err().map(|error| format!("it is not there: {error}"))
        }
        _ => None,
    }
}
