//! The suite is tried too: backends that are broken on purpose, each of which it must fail, by the trial that
//! is about what is broken.

#![expect(clippy::unwrap_used, reason = "this whole program is a test")]
#![expect(
    clippy::wildcard_imports,
    reason = "a mutant may touch any part of the contract, and most touch a dozen"
)]

mod bad_input;
mod belongings;
mod bounds;
mod cancellation;
mod claims;
mod convergence;
mod errors;
mod exec;
mod files;
mod flaw;
mod following;
mod identity;
mod logs;
mod orphans;
mod pause;
mod secrets;
mod stats;
mod stopping;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use alveary_conformance::{Contract, Harness, Outcome, Probe, find, run, suite};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    if std::env::args_os().any(|argument| argument == "--be-a-manager") {
        // Started anew by a trial, to be killed.
        let claiming = claims::ClaimsThatItsAgentsSurvive::default();
        return run(std::env::args_os(), vec![Box::new(claiming)]);
    }
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
        exec::cases(),
        stats::cases(),
        pause::cases(),
        files::cases(),
        belongings::cases(),
        claims::cases(),
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
                handle.block_on(fails((case.harness)(), id))
            }));
        }
    }
    // No backend that is tested here copies files, so one does that has nothing else to do.
    for trial in suite()
        .into_iter()
        .filter(|trial| trial.contract() == Contract::Files)
    {
        let handle = runtime.handle().clone();
        let name = format!("CopiesAsItShould::passes::{}", trial.id());
        trials.push(Trial::test(name, move || {
            handle.block_on(passes(flaw::with::<files::CopiesAsItShould>(), &trial))
        }));
    }
    // Nor has any networks and volumes.
    for trial in suite()
        .into_iter()
        .filter(|trial| trial.contract() == Contract::Belongings)
    {
        let handle = runtime.handle().clone();
        let name = format!("OwnsAsItShould::passes::{}", trial.id());
        trials.push(Trial::test(name, move || {
            handle.block_on(passes(belongings::flawless(), &trial))
        }));
    }
    trials.push(Trial::test("every_trial_fails_some_mutant", move || {
        every_trial_is_in(&proven)
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.shutdown_background();
    conclusion.exit_code()
}

async fn fails(harness: Arc<dyn Harness>, id: &str) -> Result<(), Failed> {
    let trial = find(id).ok_or_else(|| format!("there is no trial `{id}`"))?;
    let probe = Probe::of(harness).await?;
    let probe = probe.with_manager_program(std::env::current_exe()?);
    match trial.attempt(&probe).await {
        Outcome::Failed(_) => Ok(()),
        other => Err(format!("the suite found nothing wrong with it: {other:?}").into()),
    }
}

async fn passes(
    harness: Arc<dyn Harness>,
    trial: &alveary_conformance::Trial,
) -> Result<(), Failed> {
    match trial.attempt(&Probe::of(harness).await?).await {
        Outcome::Passed => Ok(()),
        other => Err(format!("there is nothing wrong with it, and: {other:?}").into()),
    }
}

/// A trial that fails no mutant may be one that cannot fail.
fn every_trial_is_in(proven: &BTreeSet<&str>) -> Result<(), Failed> {
    // These need processes, which no mutant here has: what they find is tried by the process backend's tests.
    let processes_alone = [
        "stopping::a_process_that_left_its_session_ends_with_its_agent",
        "stopping::a_child_that_is_left_behind_ends_with_its_agent",
        "bad_input::the_working_directory_is_the_specs",
        "exec::it_runs_where_the_agent_does_unless_told",
    ];
    let unproven: Vec<_> = suite()
        .into_iter()
        .map(|trial| trial.id())
        .filter(|id| !proven.contains(id.as_str()) && !processes_alone.contains(&id.as_str()))
        .collect();
    if unproven.is_empty() {
        return Ok(());
    }
    Err(format!("no mutant is failed by:\n  {}", unproven.join("\n  ")).into())
}
