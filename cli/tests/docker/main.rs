//! The program with containers: on real engines, by both ways to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod belongings;
#[path = "../../../backends/docker/tests/common/mod.rs"]
mod common;
mod ground;
#[path = "../cli/hive.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod hive;
mod planned;
mod quickstart;
mod timmy_time;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use common::TestEngine;
use ground::{Ground, WAYS};

/// One trial on one engine, begun by one of the two ways.
type Try = fn(&Ground);

macro_rules! trials {
    ($($module:ident::$sentence:ident),+ $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($sentence)), $module::$sentence as Try)),+]
    };
}

fn main() -> ExitCode {
    let on_engines = trials![
        planned::a_dry_run_says_what_each_container_would_be,
        planned::what_a_policy_does_not_allow_is_refused_and_starts_nothing,
        planned::a_broken_policy_is_told_in_one_sentence,
        timmy_time::five_agents_are_what_their_dashboard_made_of_them,
        quickstart::the_quickstart_runs_to_its_end_in_containers,
        quickstart::what_one_way_brought_up_the_other_lists_follows_and_ends,
        belongings::volumes_outlive_the_swarm_until_they_are_asked_for,
        belongings::what_is_a_strangers_is_neither_used_nor_removed,
        belongings::what_is_external_is_used_and_left,
    ];
    let mut all = Vec::new();
    for name in ["docker-20", "docker-new", "podman"] {
        let there = TestEngine::is_there(name);
        for way in WAYS {
            for (sentence, attempt) in on_engines {
                let trial = Trial::test(format!("{way}-on-{name}::{sentence}"), move || {
                    if !there {
                        return Err(Failed::from(common::CURE));
                    }
                    attempt(&Ground::new(TestEngine::named(name), way));
                    Ok(())
                });
                // Podman 4.3's program knows no `host-gateway`, which is in that deployment.
                let unsaid = name == "podman" && sentence.starts_with("timmy_time::");
                // In CI an engine that is missing is a failure.
                all.push(trial.with_ignored_flag(unsaid || (!there && !common::in_ci())));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}
