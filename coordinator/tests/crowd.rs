//! A crowd of agents, and a coordinator that is killed again and again while they work.
//!
//! Small here; `ALVEARY_TORTURE=full` makes it 1,000 tasks, 50 agents and 20 kills. The coordinator that is killed is
//! this same program, started as `serve FILE PORT` or `write FILE`, so that it is a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]
#![expect(clippy::print_stdout, reason = "what was counted is said")]

#[path = "crowd/answers.rs"]
mod answers;
#[path = "crowd/fleet.rs"]
mod fleet;
#[path = "crowd/kills.rs"]
mod kills;
#[path = "crowd/server.rs"]
mod server;
#[path = "crowd/witness.rs"]
mod witness;

use std::process::ExitCode;
use std::time::Duration;

use alveary_coordinator::Settings;
use libtest_mimic::{Arguments, Trial};

/// How long anything may take before a trial fails.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// How big the crowd is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) tasks: usize,
    pub(crate) agents: usize,
    pub(crate) kills: usize,
    /// Kills in the middle of a write.
    pub(crate) torn: usize,
}

impl Size {
    fn asked_for() -> Self {
        match std::env::var("ALVEARY_TORTURE") {
            Ok(size) if size == "full" => Self {
                tasks: 1_000,
                agents: 50,
                kills: 20,
                torn: 10,
            },
            _ => Self {
                tasks: 24,
                agents: 6,
                kills: 2,
                torn: 1,
            },
        }
    }
}

/// What the coordinators of these trials are told. Auctions that do not end early would be seen: they would last.
pub(crate) fn settings() -> Settings {
    Settings::default().with_auction(PATIENCE * 2)
}

type Act = fn(Size);

const TRIALS: [(&str, Act); 5] = [
    (
        "each_task_has_one_winner_and_one_completion_over_channels",
        fleet::over_channels,
    ),
    (
        "each_task_has_one_winner_and_one_completion_over_http",
        fleet::over_http,
    ),
    (
        "no_task_is_lost_or_done_twice_by_a_coordinator_that_is_killed_while_agents_work",
        kills::at_work,
    ),
    (
        "what_was_answered_before_it_was_killed_is_in_the_file",
        answers::are_kept,
    ),
    (
        "what_was_being_written_when_it_was_killed_is_there_whole_or_not_at_all",
        kills::at_writing,
    ),
];

fn main() -> ExitCode {
    let said: Vec<_> = std::env::args().skip(1).collect();
    match said.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", file, port] => server::serve(file.as_ref(), port.parse().unwrap()),
        ["write", file] => {
            kills::write(file.as_ref());
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let size = Size::asked_for();
    let trials = TRIALS.into_iter().map(|(name, act)| {
        Trial::test(name, move || {
            act(size);
            Ok(())
        })
    });
    let mut arguments = Arguments::from_args();
    // Each has a crowd of its own.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
