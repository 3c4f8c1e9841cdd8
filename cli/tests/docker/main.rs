//! The program with containers: on real engines, by both ways to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod adopted;
mod belongings;
mod beside;
#[path = "../../../backends/docker/tests/common/mod.rs"]
mod common;
mod copied;
mod from_python;
mod ground;
mod held;
#[path = "../cli/hive.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod hive;
mod imported;
mod measured;
#[path = "../../../backends/docker/tests/common/missing.rs"]
mod missing;
mod originals;
mod past_us;
mod places;
mod planned;
mod proxied;
#[path = "../cli/pty.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod pty;
mod published;
mod pulled;
mod quickstart;
mod refused;
mod replaced;
mod timmy_time;
mod two_hosts;
mod watched;

use std::io::Write as _;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

use common::TestEngine;
use ground::{Ground, WAYS};

const ENGINES: [&str; 3] = ["docker-20", "docker-new", "podman"];

/// What has long runs of which one Docker shows as much as the other.
const ON_ONE_DOCKER: [&str; 8] = [
    "from_python::the_page_is_followed_as_it_is_printed",
    "imported::a_compose_file_comes_up_is_looked_at_and_goes",
    "two_hosts::one_host_restarts_agents_and_the_other_takes_over",
    "timmy_time::five_agents_are_what_their_dashboard_made_of_them",
    "originals::they_join_bid_and_deliver_where_tokens_are_not_asked_for",
    "pulled::a_bench_tells_how_long_an_image_takes",
    "measured::what_a_bench_that_was_killed_has_left_is_found_by_gc",
    "watched::whoever_has_a_file_mounted_that_changes_is_started_again_and_nobody_else",
];

/// One trial on one engine, begun by one of the two ways.
type Try = fn(&Ground);

macro_rules! trials {
    ($($module:ident::$sentence:ident),+ $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($sentence)), $module::$sentence as Try)),+]
    };
}

fn main() -> ExitCode {
    let on_engines = trials![
        // The longest first, so that nothing waits for it at the end.
        two_hosts::one_host_restarts_agents_and_the_other_takes_over,
        places::every_place_is_listed_with_what_it_said_and_the_cure,
        places::a_context_outweighs_sockets_and_is_outweighed_by_a_host,
        proxied::a_proxy_of_the_programs_own_settings_reaches_no_agent,
        planned::a_dry_run_says_what_each_container_would_be,
        planned::what_a_policy_does_not_allow_is_refused_and_starts_nothing,
        planned::a_broken_policy_is_told_in_one_sentence,
        published::where_an_agent_is_reached_is_shown_to_people_and_programs,
        timmy_time::five_agents_are_what_their_dashboard_made_of_them,
        from_python::the_page_is_followed_as_it_is_printed,
        quickstart::the_quickstart_runs_to_its_end_in_containers,
        originals::they_join_bid_and_deliver_where_tokens_are_not_asked_for,
        quickstart::a_coordinator_listens_where_its_containers_are_and_at_home,
        quickstart::auto_takes_no_engine_where_nobody_names_an_image,
        quickstart::what_one_way_brought_up_the_other_lists_follows_and_ends,
        held::an_agent_is_held_still_and_goes_on,
        past_us::whom_an_engine_is_told_to_run_again_is_looked_after_as_before,
        past_us::whom_somebody_removes_in_the_engine_is_started_again,
        pulled::lines_say_that_an_image_comes_and_is_there,
        pulled::a_terminal_shows_how_far_an_image_is,
        pulled::a_bench_tells_how_long_an_image_takes,
        pulled::a_registry_that_wants_a_login_is_given_the_one_that_was_kept,
        pulled::an_image_that_cannot_be_had_is_asked_for_once_and_told_in_one_sentence,
        pulled::what_a_detached_up_has_accepted_has_started_when_it_returns,
        refused::who_is_refused_is_called_by_name,
        refused::a_dry_run_says_what_would_be_refused_and_shows_the_rest,
        replaced::nobody_is_stopped_for_an_image_or_a_secret_that_is_not_there,
        replaced::an_image_is_there_before_anybody_is_stopped_for_it,
        adopted::a_swarm_whose_state_was_lost_is_told_and_taken_over,
        adopted::another_engine_at_the_swarms_address_is_refused_and_left_alone,
        belongings::volumes_outlive_the_swarm_until_they_are_asked_for,
        belongings::what_is_a_strangers_is_neither_used_nor_removed,
        belongings::what_is_external_is_used_and_left,
        belongings::what_is_external_or_undeclared_is_refused_where_it_is_not_there,
        beside::one_from_flags_is_entered_let_go_of_and_measured,
        imported::a_compose_file_comes_up_is_looked_at_and_goes,
        copied::a_folder_goes_in_and_comes_out_as_it_was,
        copied::what_cannot_be_put_is_told_and_not_blamed_on_what_is_here,
        copied::an_archive_goes_through_a_pipe,
        measured::each_start_is_measured_beside_the_bare_engine,
        measured::what_a_bench_that_was_killed_has_left_is_found_by_gc,
        watched::whoever_has_a_file_mounted_that_changes_is_started_again_and_nobody_else,
    ];
    let mut all = Vec::new();
    let mut reasons = Vec::new();
    // A trial has its engine for itself, so that those beside each other are of three engines.
    for (sentence, attempt) in on_engines {
        for (way, name) in WAYS
            .into_iter()
            .flat_map(|way| ENGINES.map(|name| (way, name)))
        {
            if name == "docker-new" && ON_ONE_DOCKER.contains(&sentence) {
                continue;
            }
            let there = TestEngine::is_there(name);
            let trial = Trial::ignorable_test(format!("{way}-on-{name}::{sentence}"), move || {
                if !there {
                    return missing::without(common::CURE);
                }
                attempt(&Ground::new(TestEngine::named(name), way));
                Ok(Completion::Completed)
            });
            let why = not_tried(name, way, sentence);
            if let Some(why) = why {
                reasons.push(format!("ignored {way}-on-{name}::{sentence}: {why}"));
            }
            all.push(trial.with_ignored_flag(why.is_some()));
        }
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, all);
    if !arguments.list {
        let mut out = std::io::stdout().lock();
        for reason in reasons {
            writeln!(out, "{reason}").unwrap();
        }
    }
    conclusion.exit_code()
}

/// Why there is nothing to try there.
fn not_tried(engine: &str, way: &str, sentence: &str) -> Option<&'static str> {
    match sentence.split_once("::")?.0 {
        "places" if (engine, way) == ("podman", "docker-cli") => Some(
            "Podman's program finds its engine itself, by CONTAINER_HOST or on this host, and reads neither DOCKER_HOST nor contexts: there is nothing to choose between",
        ),
        "pulled" if (engine, way) == ("podman", "docker-cli") && sentence.contains("how_far") => {
            Some("Podman's program tells a pipe of no numbers")
        }
        "from_python" if way == "docker-cli" => Some("the page's file says docker-api"),
        "originals" if way == "docker-cli" => {
            Some("what differs between the ways to an engine is tried with agents of our own")
        }
        "adopted"
            if (engine, way) == ("podman", "docker-cli") && sentence.contains("another_engine") =>
        {
            Some("Podman's program speaks to no other engine")
        }
        "adopted"
            if sentence.contains("another_engine")
                && !(TestEngine::is_there("docker-20") && TestEngine::is_there("docker-new")) =>
        {
            Some("it takes two engines")
        }
        "adopted" | "beside" | "published" if engine != "docker-20" && way == "docker-cli" => {
            Some("by the program it is tried on Docker 20.10")
        }
        "two_hosts" if engine != "docker-20" && way == "docker-cli" => {
            Some("it takes more than a minute, and by the program it is tried on Docker 20.10")
        }
        _ => None,
    }
}
