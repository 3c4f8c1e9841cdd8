//! The suite is tried too: backends that are broken on purpose, each of which it must fail, by the trial that
//! is about what is broken.

#![expect(clippy::unwrap_used, reason = "this whole program is a test")]
#![expect(
    clippy::wildcard_imports,
    reason = "a mutant may touch any part of the contract, and most touch a dozen"
)]

mod bad_input;
mod bounds;
mod cancellation;
mod convergence;
mod errors;
mod flaw;
mod following;
mod identity;
mod logs;
mod orphans;
mod secrets;
mod stopping;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use alveary_conformance::{MemoryHarness, Outcome, Probe, attempt, suite};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.test_threads.is_none() {
        // Most of these wait for what never comes.
        arguments.test_threads = Some(32);
    }
    let runtime = Runtime::new().expect("a runtime");
    let cases: Vec<_> = [
        identity::cases(),
        orphans::cases(),
        stopping::cases(),
        convergence::cases(),
        logs::cases(),
        following::cases(),
        secrets::cases(),
        errors::cases(),
        cancellation::cases(),
        bad_input::cases(),
        bounds::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let proven: BTreeSet<_> = cases
        .iter()
        .flat_map(|case| case.failed_by)
        .copied()
        .collect();
    let mut trials = Vec::new();
    for case in cases {
        for id in case.failed_by {
            let handle = runtime.handle().clone();
            let name = format!("{}::fails::{id}", case.name);
            trials.push(Trial::test(name, move || {
                fails(handle.block_on(attempt((case.harness)(), id)))
            }));
        }
    }
    let handle = runtime.handle().clone();
    trials.push(Trial::test("every_trial_fails_some_mutant", move || {
        handle.block_on(every_trial_is_in(&proven))
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.shutdown_background();
    conclusion.exit_code()
}

fn fails(outcome: Outcome) -> Result<(), Failed> {
    match outcome {
        Outcome::Failed(why) if why.contains("there is no trial") => Err(why.into()),
        Outcome::Failed(_) => Ok(()),
        other => Err(format!("the suite found nothing wrong with it: {other:?}").into()),
    }
}

/// A trial that fails no mutant may be one that cannot fail.
async fn every_trial_is_in(proven: &BTreeSet<&str>) -> Result<(), Failed> {
    let probe = Probe::of(Arc::new(MemoryHarness::default())).await?;
    let unproven: Vec<_> = suite()
        .into_iter()
        .filter(|trial| trial.missing(&probe).is_none())
        .map(|trial| trial.id())
        .filter(|id| !proven.contains(id.as_str()))
        .collect();
    if unproven.is_empty() {
        return Ok(());
    }
    Err(format!("no mutant is failed by:\n  {}", unproven.join("\n  ")).into())
}
