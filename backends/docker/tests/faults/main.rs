//! What becomes of agents when the engine, the way to it, or their manager fails: nothing is lost, nothing is
//! doubled, nothing is left behind, and no time-out is taken for an answer.
//!
//! Each trial runs through a fault proxy before a real engine, and is judged by what that engine itself shows. A
//! table of what came of it all is printed at the end.

#![expect(clippy::unwrap_used, reason = "this whole file is tests")]

mod besides;
#[path = "../common/mod.rs"]
#[expect(
    dead_code,
    reason = "faults need less of an engine than the suite does"
)]
mod common;
mod crash;
mod daemon;
mod denied;
mod floor;
mod forgotten;
mod ground;
mod kinds;
mod late;
#[path = "../common/missing.rs"]
mod missing;
mod private;
mod replies;
mod stranger;
mod streams;
mod table;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use common::TestEngine;
use ground::{Ground, Way};

fn main() -> ExitCode {
    if let Some(done) = crash::manager_if_asked().or_else(denied::nobody_if_asked) {
        return done;
    }
    let mut arguments = Arguments::from_args();
    // They mostly wait for the engine.
    arguments.test_threads.get_or_insert(6);
    let trials = [
        replies::trials(),
        replies::trials_by_the_program(),
        besides::trials(),
        late::trials(),
        streams::trials(),
        forgotten::trials(),
        crash::trials(),
        daemon::trials(),
        denied::trials(),
        floor::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    table::print();
    conclusion.exit_code()
}

/// The engine that the trials are on: the first that is named.
fn engine() -> Option<TestEngine> {
    common::engines().into_iter().next()
}

/// Whether all of it is to be tried: `just torture-docker`. Tests try as much as they have the time for.
fn is_torture() -> bool {
    std::env::var("ALVEARY_TORTURE").is_ok_and(|said| said == "full")
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(test);
    runtime.shutdown_background();
    result
}

/// A trial on the engine that is there; where none is, listed as ignored with the cure, and failed in CI.
fn trial<F>(name: impl Into<String>, test: impl FnOnce(TestEngine) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<Completion, Failed>>,
{
    let name = name.into();
    let Some(engine) = engine() else {
        return Trial::ignorable_test(name, || missing::without(common::CURE));
    };
    Trial::ignorable_test(name, move || block_on(test(engine)))
}

/// A trial in a swarm of its own, whose findings are the row of this scenario in the table.
fn scenario<F>(
    name: impl Into<String>,
    row: impl Into<String>,
    test: impl FnOnce(Ground) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Ground>,
{
    let row = row.into();
    trial(name, move |engine| async move {
        let ground = Ground::on(&engine.host, ground::Limits::SHORT).await;
        test(ground).await.finish(&row).await
    })
}

/// The same, by the engine's own program in place of its API.
fn scenario_by_the_program<F>(
    name: impl Into<String>,
    row: impl Into<String>,
    test: impl FnOnce(Ground) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = Ground>,
{
    let row = row.into();
    trial(name, move |engine| async move {
        let way = Way::Cli(engine.program());
        let ground = Ground::by(way, &engine.host, ground::Limits::SHORT).await;
        test(ground).await.finish(&row).await
    })
}
