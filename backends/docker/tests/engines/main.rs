//! What is tried on real engines besides the contract: the two ways beside each other, and what engines do that
//! nobody would guess.

mod beside;
#[path = "../common/mod.rs"]
mod common;
mod cross;
mod ends;
mod fetching;
mod files;
mod here;
mod images;
mod listening;
mod logs;
#[path = "../common/missing.rs"]
mod missing;
mod mounted;
mod names;
mod parity;
mod ports;
mod refusals;
mod registry;
mod removals;
mod restarts;
mod rights;
mod secrets;
mod variables;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use common::TestEngine;
use libtest_mimic::{Arguments, Completion, Trial};
use tokio::runtime::Runtime;

/// A trial: on one engine, with what is made in it taken away whatever happens.
type Try = fn(TestEngine) -> futures_util::future::BoxFuture<'static, ()>;

macro_rules! trials {
    ($($module:ident::$sentence:ident),+ $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($sentence)), (|engine| Box::pin($module::$sentence(engine))) as Try)),+]
    };
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime starts"));
    let trials = trials![
        beside::a_program_has_ended_though_its_child_holds_its_output,
        cross::what_one_way_started_the_other_lists_follows_and_ends,
        cross::a_start_that_one_way_made_is_found_by_the_other,
        ends::memory_somebody_else_and_we_are_told_apart,
        ends::a_wait_ends_when_somebody_takes_the_agent_away,
        fetching::a_registry_that_is_not_reached_is_not_taken_for_the_engine,
        files::what_is_put_is_the_agents_unless_its_owners_are_kept,
        files::nothing_stands_and_nothing_is_put_beneath_a_file,
        files::nothing_is_put_beneath_what_is_in_an_agents_memory,
        files::a_file_takes_no_place_of_a_directory_unasked,
        files::what_is_got_right_after_an_end_is_there,
        images::one_static_program_is_image_enough,
        logs::logs_that_an_engine_does_not_give_back_are_unsupported,
        logs::long_lines_are_read_as_they_were_written,
        mounted::a_program_may_lie_in_what_is_mounted,
        mounted::a_volume_that_is_not_there_is_refused_and_not_made,
        names::agents_of_one_network_find_each_other_by_name,
        parity::one_spec_gives_one_container_by_either_way,
        ports::where_an_engine_has_published_a_port_is_told_by_either_way,
        refusals::what_an_engine_refuses_is_told_with_its_kind_and_leaves_nothing,
        refusals::the_images_own_stop_signal_is_sent_where_the_spec_names_none,
        refusals::an_agent_that_dies_for_want_of_a_capability_is_told_which,
        refusals::the_host_has_an_address_by_the_name_that_is_given_to_it,
        refusals::one_that_dies_at_once_is_told_with_its_last_words,
        removals::whoever_removes_an_agent_at_once_with_others_leaves_nothing,
        rights::an_agent_may_do_little_unless_it_is_said,
        rights::an_agent_has_no_more_of_a_processor_than_it_may,
        rights::an_agent_has_no_more_processes_than_it_may,
        rights::an_agent_runs_as_whom_it_is_said,
        rights::what_the_engine_cannot_give_is_refused_and_leaves_nothing,
        rights::a_device_is_there_by_the_name_that_it_is_given,
        restarts::an_engine_restarts_what_is_left_to_it_and_no_oftener_than_said,
        restarts::what_is_stopped_between_two_restarts_stays_so,
        restarts::what_is_stopped_is_not_restarted_by_the_engine,
        secrets::an_agent_cannot_change_its_secret,
        secrets::whoever_the_agent_is_reads_its_secret,
        fetching::an_image_is_fetched_when_it_is_said_and_given_up_when_nothing_comes,
        images::how_health_is_looked_at_is_the_images_until_the_spec_says_it,
        images::labels_of_an_image_make_nobody_an_agent_and_no_agent_another,
        logs::what_is_no_utf8_is_kept_or_replaced_as_promised,
        rights::a_runtime_is_the_one_that_is_named,
        rights::a_seccomp_profile_of_ones_own_is_in_force,
        variables::a_large_environment_comes_whole,
        variables::odd_values_come_as_they_were_given,
        variables::a_variable_that_no_kernel_takes_is_refused_with_its_cure,
    ];
    let mut all = Vec::new();
    let mut reasons = Vec::new();
    for name in ["docker-20", "docker-new", "podman"] {
        for &(sentence, attempt) in &trials {
            let runtime = Arc::clone(&runtime);
            let there = TestEngine::is_there(name);
            let trial = Trial::ignorable_test(format!("{name}::{sentence}"), move || {
                if !there {
                    return missing::without(common::CURE);
                }
                runtime.block_on(attempt(TestEngine::named(name)));
                Ok(Completion::Completed)
            });
            let why = not_tried(name, sentence);
            if let Some(why) = why {
                reasons.push(format!("ignored {name}::{sentence}: {why}"));
            }
            all.push(trial.with_ignored_flag(why.is_some()));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, all);
    if !arguments.list {
        let mut out = std::io::stdout().lock();
        for reason in reasons {
            writeln!(out, "{reason}").expect("it can be printed");
        }
    }
    conclusion.exit_code()
}

/// Why there is nothing to try there.
fn not_tried(engine: &str, sentence: &str) -> Option<&'static str> {
    const ONE_DOCKER: Option<&str> = Some("of this one Docker shows as much as the other");
    match sentence {
        "images::how_health_is_looked_at_is_the_images_until_the_spec_says_it" => match engine {
            "podman" => Some("Podman has systemd look after health, which there is none of here"),
            "docker-new" => ONE_DOCKER,
            _ => None,
        },
        "logs::what_is_no_utf8_is_kept_or_replaced_as_promised" => match engine {
            "podman" => Some("Podman 4.3 has no driver whose logs are byte-exact"),
            "docker-new" => ONE_DOCKER,
            _ => None,
        },
        "rights::a_runtime_is_the_one_that_is_named" if engine == "podman" => Some(
            "crun refuses a host with cgroups of both versions, and Podman knows runc by one name",
        ),
        "fetching::an_image_is_fetched_when_it_is_said_and_given_up_when_nothing_comes"
        | "rights::a_seccomp_profile_of_ones_own_is_in_force"
            if engine == "docker-20" =>
        {
            ONE_DOCKER
        }
        _ => None,
    }
}
