//! The suite as a test program.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use alveary_core::ErrorKind;
use libtest_mimic::{Arguments, Completion, Failed};
use tokio::runtime::{Handle, Runtime};

use crate::harness::Harness;
use crate::manager;
use crate::need::Probe;
use crate::trial::{Outcome, Trial, suite};

/// Runs the suite for each harness as a test program: the whole `main` of a test with `harness = false`.
///
/// Trials are named `backend::contract::sentence`. What a backend cannot do is listed as ignored, and why is
/// said at the end. The arguments are those of every Rust test program.
///
/// The same program is also the manager that some trials kill: they start it anew with arguments of their
/// own. What a backend does first in `main` (to become its keeper, say) has to come before this call.
///
/// ```no_run
/// use alveary_conformance::{Harness, MemoryHarness, run};
///
/// fn main() -> std::process::ExitCode {
///     let harnesses: Vec<Box<dyn Harness>> = vec![Box::new(MemoryHarness::default())];
///     run(std::env::args_os(), harnesses)
/// }
/// ```
pub fn run(args: impl IntoIterator<Item = OsString>, harnesses: Vec<Box<dyn Harness>>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let harnesses: Vec<Arc<dyn Harness>> = harnesses.into_iter().map(Arc::from).collect();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return say_and_fail(&format!("failed to start a runtime: {error}")),
    };
    if let Some(order) = manager::Order::from_args(&args) {
        return match runtime.block_on(order.carry_out(&harnesses)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => say_and_fail(&failure.to_string()),
        };
    }
    let mut arguments = Arguments::from_iter(args);
    if arguments.test_threads.is_none() {
        // Trials mostly wait for agents.
        arguments.test_threads = std::thread::available_parallelism()
            .ok()
            .map(|n| n.get() * 2);
    }
    let mut program = Program {
        handle: runtime.handle().clone(),
        reasons: Vec::new(),
        trials: Vec::new(),
    };
    for harness in harnesses {
        program.add(&harness);
    }
    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, program.trials);
    if !listing {
        let mut stdout = std::io::stdout().lock();
        for reason in program.reasons {
            // A test program whose output nobody reads has still its exit code.
            let _ = writeln!(stdout, "ignored {reason}");
        }
    }
    // Whatever a trial left hanging in a thread of its own does not keep the program.
    runtime.shutdown_background();
    conclusion.exit_code()
}

struct Program {
    handle: Handle,
    /// Why trials are ignored.
    reasons: Vec<String>,
    trials: Vec<libtest_mimic::Trial>,
}

impl Program {
    fn add(&mut self, harness: &Arc<dyn Harness>) {
        match self.handle.block_on(Probe::of(harness.clone())) {
            Ok(mut probe) => {
                probe.manager = std::env::current_exe().ok();
                for trial in suite() {
                    self.add_trial(&trial, &probe);
                }
            }
            Err(error) if error.kind() == ErrorKind::EngineUnavailable => {
                let why = error.to_string();
                for trial in suite() {
                    self.ignore(&format!("{}::{}", harness.name(), trial.id()), &why);
                }
            }
            Err(error) => {
                let name = format!("{}::the_backend_can_be_connected", harness.name());
                let failed = Failed::from(error);
                self.trials
                    .push(libtest_mimic::Trial::test(name, || Err(failed)));
            }
        }
    }

    fn add_trial(&mut self, trial: &Trial, probe: &Probe) {
        let name = format!("{}::{}", probe.harness.name(), trial.id());
        if let Some(why) = trial.missing(probe) {
            self.ignore(&name, &why);
            return;
        }
        let (handle, trial, probe) = (self.handle.clone(), trial.clone(), probe.clone());
        let runner = move || match handle.block_on(trial.attempt(&probe)) {
            Outcome::Passed => Ok(Completion::Completed),
            Outcome::Ignored(why) => Ok(Completion::ignored_with(why)),
            Outcome::Failed(why) => Err(Failed::from(why)),
        };
        self.trials
            .push(libtest_mimic::Trial::ignorable_test(name, runner));
    }

    /// A trial that is listed as ignored, and stays ignored where somebody insists.
    fn ignore(&mut self, name: &str, why: &str) {
        self.reasons.push(format!("{name}: {why}"));
        let why = why.to_owned();
        let runner = move || Ok(Completion::ignored_with(why));
        let trial = libtest_mimic::Trial::ignorable_test(name, runner).with_ignored_flag(true);
        self.trials.push(trial);
    }
}

fn say_and_fail(what: &str) -> ExitCode {
    // Nothing is left to do where even standard error is gone.
    let _ = writeln!(std::io::stderr(), "{what}");
    ExitCode::from(101)
}
