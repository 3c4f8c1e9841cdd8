//! What happens to agents and to those who keep them when things go wrong: real processes, really killed.

mod beside;
mod chance;
mod disk;
mod doctored;
mod here;
mod hive;
mod keeper;
mod logs;
mod many;
#[path = "../shared/old_kernel.rs"]
mod old_kernel;
mod processes;
mod silence;
mod versions;

use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use hive::Hive;

fn main() -> ExitCode {
    old_kernel::refuse_what_is_lacking();
    alveary_process::keeper::run_if_asked();
    beside::become_caller_if_asked();
    let mut arguments = Arguments::from_args();
    // Trials mostly wait for processes, and some fill a disk.
    arguments.test_threads.get_or_insert(4);
    let trials = [
        keeper::trials(),
        processes::trials(),
        logs::trials(),
        disk::trials(),
        doctored::trials(),
        silence::trials(),
        here::trials(),
        chance::trials(),
        beside::trials(),
        many::trials(),
        versions::trials(),
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

/// A trial in a swarm of its own, whose agents are gone afterwards, whatever comes of it.
fn trial<F>(name: &'static str, run: fn(Hive) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::test(name, move || {
        in_runtime(async {
            let hive = Hive::new(name);
            run(hive).await;
        });
        Ok(())
    })
}

/// A trial that may find that this machine cannot make it, and says why.
fn trial_if_possible<F>(name: &'static str, run: fn(Hive) -> F) -> Trial
where
    F: Future<Output = Completion> + 'static,
{
    Trial::ignorable_test(name, move || {
        let mut done = Completion::Completed;
        in_runtime(async { done = run(Hive::new(name)).await });
        Ok(done)
    })
}

/// A trial that only root can make.
fn trial_for_root<F>(name: &'static str, run: fn(Hive) -> F) -> Trial
where
    F: Future<Output = ()> + 'static,
{
    Trial::ignorable_test(name, move || {
        if !rustix::process::geteuid().is_root() {
            return Ok(Completion::ignored_with(
                "needs root: run the tests as root",
            ));
        }
        in_runtime(async {
            let hive = Hive::new(name);
            run(hive).await;
        });
        Ok(Completion::Completed)
    })
}

fn in_runtime(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime can be made").block_on(work);
}
