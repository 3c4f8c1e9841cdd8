//! Agents of `alveary-agent` against a real coordinator: every promise over a channel inside one process, and over
//! HTTP on loopback with tokens. What needs processes that are killed, stopped or deceived is tried with such.
//!
//! What cannot be tried here is shown as ignored, with the cure; where `CI` is `true` it fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]
#![expect(
    clippy::print_stdout,
    reason = "what is not tried is said, with the cure"
)]

#[path = "agents/acts.rs"]
mod acts;
#[path = "agents/auctions.rs"]
mod auctions;
#[path = "agents/bed.rs"]
mod bed;
#[path = "agents/clock.rs"]
mod clock;
#[path = "agents/giver.rs"]
mod giver;
#[path = "agents/hands.rs"]
mod hands;
#[path = "agents/loss.rs"]
mod loss;
#[path = "agents/page.rs"]
mod page;
#[path = "agents/processes.rs"]
mod processes;
#[path = "agents/restart.rs"]
mod restart;
#[path = "agents/stopped.rs"]
mod stopped;
#[path = "agents/words.rs"]
mod words;
#[path = "agents/work.rs"]
mod work;

use std::process::ExitCode;

use futures_util::future::{BoxFuture, FutureExt as _};
use libtest_mimic::{Arguments, Completion, Trial};
use tokio::runtime::Runtime;

use bed::Way;

type Play = fn(Way) -> BoxFuture<'static, ()>;

/// Trials, named by where they stand.
macro_rules! plays {
    ($($part:ident: [$($name:ident),+ $(,)?]),+ $(,)?) => {
        [$($((
            concat!(stringify!($part), "::", stringify!($name)),
            (|way| $part::$name(way).boxed()) as Play,
        )),+),+]
    };
}

/// The same for those of one way only, with what is missing for them here.
macro_rules! alone {
    ($($part:ident: [$(($missing:expr, $name:ident)),+ $(,)?]),+ $(,)?) => {
        [$($((
            concat!(stringify!($part), "::", stringify!($name)),
            $missing,
            $part::$name().boxed(),
        )),+),+]
    };
}

fn main() -> ExitCode {
    if let Some(ended) = acts::act() {
        return ended;
    }
    let over_both = plays! {
        work: [
            a_task_is_heard_of_bid_for_won_taken_up_and_done,
            what_a_handler_cannot_do_fails_with_its_reason_and_is_not_tried_again,
            a_program_reads_its_task_and_prints_its_result,
            the_longest_result_arrives_whole_whatever_is_in_it,
            a_result_that_is_too_long_fails_its_task,
            an_agent_does_as_many_tasks_at_a_time_as_it_is_told,
            many_agents_do_many_tasks_each_once,
        ],
        auctions: [
            the_lowest_bid_wins_and_of_equal_ones_the_first,
            an_auction_is_over_as_soon_as_all_who_are_free_and_able_have_bid,
            who_goes_without_a_bid_is_waited_for_no_longer,
            an_auction_that_somebody_free_stays_out_of_lasts_its_length,
            a_task_goes_to_who_can_do_it_however_cheap_others_are,
            a_bid_of_who_cannot_do_it_is_answered_and_does_not_count,
            a_bid_after_the_auction_is_answered_and_does_not_count,
            a_task_for_which_nobody_bids_fails,
        ],
        loss: [
            the_task_of_an_agent_that_falls_silent_goes_to_another_and_its_late_report_is_refused,
            work_on_what_is_another_agents_now_is_called_off,
            an_agent_whose_report_came_too_late_goes_on,
            an_agent_that_goes_gives_back_what_it_has_at_once,
            an_agent_that_is_told_to_end_finishes_what_it_has_begun,
            a_task_that_is_lost_too_often_fails,
            what_is_won_and_not_taken_up_goes_to_another,
            who_falls_silent_is_offline_until_its_next_word,
        ],
        words: [
            an_agent_speaks_for_itself_alone,
            a_call_made_again_has_no_second_effect,
            a_claim_whose_answer_was_lost_is_answered_again,
            what_is_not_there_is_told_apart_from_what_is_over,
            who_waits_for_tasks_hears_of_those_that_open_later_and_of_no_others,
            who_waits_for_work_has_it_when_it_is_won,
            a_pulse_is_answered_with_what_is_not_the_agents_any_more,
        ],
    };
    let mut trials: Vec<Trial> = Vec::new();
    for way in [Way::Channel, Way::Http] {
        let each = over_both.into_iter();
        trials.extend(each.map(|(name, play)| trial(&format!("{way}::{name}"), None, play(way))));
    }
    let python = (!runs("python3")).then_some("there is no `python3` here (install CPython)");
    let shell = python.or((!runs("curl")).then_some("there is no `curl` here (install it)"));
    let faketime = clock::library().is_none().then_some(clock::CURE);
    let of_processes = alone! {
        giver: [
            (None, a_task_that_is_called_off_has_failed_and_who_works_on_it_is_told),
            (None, what_is_over_or_was_never_there_is_not_called_off),
        ],
        restart: [
            (None, agents_that_wait_are_found_again_after_a_kill),
            (None, agents_that_wait_are_found_again_after_an_orderly_end),
        ],
        stopped: [
            (python, a_stopped_agents_report_is_refused_with_409_and_recorded),
            (None, a_stopped_agent_calls_off_another_agents_work_when_it_goes_on),
        ],
        page: [
            (None, no_block_is_of_a_language_that_nobody_runs),
            (None, the_line_that_a_program_reads_is_as_shown),
            (shell, the_six_requests_make_an_agent),
            (python, the_agent_in_python_does_one_task_after_the_other),
        ],
        clock: [
            (faketime, a_wall_clock_that_is_moved_by_an_hour_moves_no_auction_and_loses_no_agent),
        ],
    };
    let each = of_processes.into_iter();
    trials.extend(
        each.map(|(name, missing, play)| trial(&format!("processes::{name}"), missing, play)),
    );
    let mut arguments = Arguments::from_args();
    // Trials mostly wait.
    arguments.test_threads.get_or_insert(4);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        for missing in [python.or(shell), faketime].into_iter().flatten() {
            println!("ignored: {missing}");
        }
    }
    conclusion.exit_code()
}

/// Whether a program of this name is there.
fn runs(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn trial(name: &str, missing: Option<&'static str>, play: BoxFuture<'static, ()>) -> Trial {
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    Trial::ignorable_test(name, move || {
        match missing {
            Some(cure) if in_ci => return Err(cure.into()),
            Some(cure) => return Ok(Completion::ignored_with(cure)),
            None => {}
        }
        let runtime = Runtime::new()?;
        runtime.block_on(play);
        Ok(Completion::Completed)
    })
    .with_ignored_flag(missing.is_some() && !in_ci)
}
