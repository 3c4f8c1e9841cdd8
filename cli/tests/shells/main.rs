//! What other programs make of ours: shells of what is offered while a command is typed, `man` of the manual.

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on ends there")]

mod completing;
#[path = "../cli/hive.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod hive;
mod manual;
#[path = "../cli/pty.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod pty;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let trials = vec![
        trial(
            "bash",
            "bash_completes_verbs_flags_and_agents",
            completing::bash_completes_verbs_flags_and_agents,
        ),
        trial(
            "bash",
            "what_is_typed_in_a_terminal_is_completed_by_bash",
            completing::what_is_typed_in_a_terminal_is_completed_by_bash,
        ),
        trial(
            "zsh",
            "what_is_typed_in_a_terminal_is_completed_by_zsh",
            completing::what_is_typed_in_a_terminal_is_completed_by_zsh,
        ),
        trial(
            "fish",
            "fish_completes_verbs_flags_and_agents",
            completing::fish_completes_verbs_flags_and_agents,
        ),
        trial(
            "man",
            "man_shows_every_page_and_has_nothing_to_say_against_it",
            manual::man_shows_every_page_and_has_nothing_to_say_against_it,
        ),
        trial(
            "man",
            "man_says_what_is_wrong_with_a_page",
            manual::man_says_what_is_wrong_with_a_page,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A trial of which another program is part. In CI it is there.
fn trial(program: &'static str, name: &'static str, run: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        let is_there = Command::new(program).arg("--version").output().is_ok();
        if !is_there && std::env::var_os("CI").is_none() {
            let package = if program == "man" { "man-db" } else { program };
            return Ok(Completion::ignored_with(format!(
                "`{program}` is not here; install {package} (Debian: apt-get install {package})"
            )));
        }
        run();
        Ok(Completion::Completed)
    })
}
