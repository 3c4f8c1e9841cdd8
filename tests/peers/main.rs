//! Agents of the system that alveary replaces, written anew in Python from what is known of its wire, against a
//! coordinator: started by hand, and by a swarm on every backend.
//!
//! `swarm/` polls and bids, `timmy/` works, `quirks.py` looks at each answer's letter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]
#![expect(
    clippy::print_stdout,
    reason = "what is not tried is said, with the cure"
)]

#[expect(dead_code, reason = "other trials use the rest of it")]
#[path = "../../backends/docker/tests/common/mod.rs"]
mod common;
mod ground;
mod hand;
mod house;
mod trials;

use std::process::ExitCode;

use futures_util::future::{BoxFuture, FutureExt as _};
use libtest_mimic::{Arguments, Completion, Trial};

use common::TestEngine;
use ground::Ground;

const NO_PYTHON: &str = "there is no `python3` here (install CPython)";

/// Containers are tried on these, on the newer ones by the API alone: what differs between the ways to an engine is
/// tried elsewhere.
const ENGINES: [&str; 2] = ["docker-20", "docker-new"];

fn main() -> ExitCode {
    let has_python = runs("python3");
    let without = (!has_python).then_some(NO_PYTHON);
    let mut all = vec![
        trial("by-hand::every_answer_is_as_it_was", without, || {
            trials::every_answer_is_as_it_was().boxed()
        }),
        trial(
            "by-hand::at_their_own_pace_they_win_and_deliver",
            without,
            || trials::at_their_own_pace_they_win_and_deliver().boxed(),
        ),
        trial(
            "by-hand::without_a_token_nothing_is_theirs",
            without,
            || trials::without_a_token_nothing_is_theirs().boxed(),
        ),
        trial(
            "by-hand::they_join_bid_deliver_and_end_cleanly",
            without,
            || trials::they_join_bid_deliver_and_end_cleanly(Ground::hand()).boxed(),
        ),
        trial(
            "process::they_join_bid_deliver_and_end_cleanly",
            without,
            || trials::they_join_bid_deliver_and_end_cleanly(Ground::process()).boxed(),
        ),
    ];
    let mut ways = Vec::new();
    if cfg!(feature = "docker-api") {
        ways.push("docker-api");
    }
    if cfg!(feature = "docker-cli") {
        ways.push("docker-cli");
    }
    for engine in ENGINES {
        let missing = (!TestEngine::is_there(engine)).then_some(common::CURE);
        let newer = engine != "docker-20";
        for way in ways.iter().filter(|way| !newer || **way == "docker-api") {
            let way = *way;
            let name = format!("{way}-on-{engine}::they_join_bid_deliver_and_end_cleanly");
            all.push(trial(&name, missing, move || {
                let ground = Ground::containers(way, TestEngine::named(engine));
                trials::they_join_bid_deliver_and_end_cleanly(ground).boxed()
            }));
        }
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, all);
    if !arguments.list && !has_python {
        println!("ignored: {NO_PYTHON}");
    }
    conclusion.exit_code()
}

/// Whether a program of this name is there.
fn runs(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A trial that in CI fails where something is missing for it, and is ignored elsewhere.
fn trial(
    name: &str,
    missing: Option<&'static str>,
    play: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static,
) -> Trial {
    let in_ci = common::in_ci();
    Trial::ignorable_test(name, move || {
        match missing {
            Some(cure) if in_ci => return Err(cure.into()),
            Some(cure) => return Ok(Completion::ignored_with(cure)),
            None => {}
        }
        tokio::runtime::Runtime::new()?.block_on(play());
        Ok(Completion::Completed)
    })
    .with_ignored_flag(missing.is_some() && !in_ci)
}
