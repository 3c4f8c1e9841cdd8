//! The faults that each verb is tried with.

use std::time::Duration;

use alveary_conformance::proxy::{Answer, FaultProxy, Held, Rule, When};

/// A fault that is set.
pub(crate) enum Set {
    Rule(Rule),
    /// What is carried out later.
    Late(Rule),
    Held(Held),
    Paused,
}

impl Set {
    /// From now on nothing goes wrong; what was held goes on.
    pub(crate) fn undo(&self, proxy: &FaultProxy) {
        match self {
            Self::Rule(rule) | Self::Late(rule) => rule.call_off(),
            Self::Held(held) => held.release(),
            Self::Paused => proxy.resume(),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The engine is made to say what is not so: whoever believes it is not wrong.
    pub(crate) lies: bool,
    pub(crate) set: fn(When<'_>) -> Set,
}

const SOON: Duration = Duration::from_millis(100);
const REFUSAL: &str = r#"{"message":"something went wrong in the engine"}"#;

const fn kind(name: &'static str, set: fn(When<'_>) -> Set) -> Kind {
    Kind {
        name,
        lies: false,
        set,
    }
}

const fn lie(name: &'static str, set: fn(When<'_>) -> Set) -> Kind {
    Kind {
        name,
        lies: true,
        set,
    }
}

fn answer(when: When<'_>, answer: Answer) -> Set {
    Set::Rule(when.answer(answer))
}

/// What goes wrong once.
pub(crate) const KINDS: [Kind; 24] = [
    kind("the_request_is_late", |when| {
        Set::Rule(when.delay_request(SOON))
    }),
    kind("the_answer_is_late", |when| {
        Set::Rule(when.delay_answer(SOON))
    }),
    kind("the_body_is_late", |when| Set::Rule(when.delay_body(SOON))),
    kind("it_is_cut_off_unheard", |when| Set::Rule(when.cut())),
    kind("it_is_cut_off_and_carried_out", |when| {
        Set::Late(when.cut_and_pass_on_after(SOON))
    }),
    kind("the_answer_is_lost", |when| Set::Rule(when.lose_answer())),
    kind("the_answer_is_cut_in_its_body", |when| {
        Set::Rule(when.cut_body_after(5))
    }),
    kind("headers_come_and_then_nothing", |when| {
        Set::Rule(when.withhold_body())
    }),
    kind("nothing_is_ever_answered", |when| {
        Set::Rule(when.never_answer())
    }),
    kind("it_is_carried_out_after_the_time_out", |when| {
        Set::Held(when.hold_request())
    }),
    kind("the_answer_comes_after_the_time_out", |when| {
        Set::Held(when.hold_answer())
    }),
    kind("the_engine_says_500", |when| {
        answer(when, Answer::status(500).json(REFUSAL))
    }),
    kind("the_engine_says_500_in_garbage", |when| {
        answer(when, Answer::status(500).text("<html>\u{1b}[2J"))
    }),
    kind("the_engine_says_500_and_has_done_it", |when| {
        Set::Rule(when.pass_on_and_answer(Answer::status(500).json(REFUSAL)))
    }),
    lie("the_engine_says_409", |when| {
        answer(when, Answer::status(409).json(REFUSAL))
    }),
    lie("the_engine_says_404", |when| {
        answer(
            when,
            Answer::status(404).json(r#"{"message":"No such container: x"}"#),
        )
    }),
    lie("the_engine_says_304", |when| {
        answer(when, Answer::status(304))
    }),
    lie("the_engine_says_200_and_nothing_more", |when| {
        answer(when, Answer::status(200))
    }),
    lie("the_engine_says_200_and_has_done_it", |when| {
        Set::Rule(when.pass_on_and_answer(Answer::status(200)))
    }),
    lie("the_engine_says_200_in_garbage", |when| {
        answer(when, Answer::status(200).json("}{"))
    }),
    lie("the_engine_answers_without_end", |when| {
        answer(when, Answer::status(200).json("[").with_filler(1 << 32))
    }),
    kind("the_engine_fails_without_end", |when| {
        answer(when, Answer::status(500).with_filler(1 << 32))
    }),
    kind("the_headers_are_without_end", |when| {
        answer(when, Answer::status(200).with_long_header(1 << 32))
    }),
    kind("it_is_no_http", |when| {
        answer(when, Answer::raw("SSH-2.0-x\r\n"))
    }),
];

/// Those that are tried until they are called off, too.
pub(crate) const LASTING: [&str; 5] = [
    "it_is_cut_off_unheard",
    "the_answer_is_lost",
    "nothing_is_ever_answered",
    "the_engine_says_500",
    "the_engine_says_200_in_garbage",
];

/// Those that a rename is tried with where there is not much time: it is done or not, and that is told, or not, or wrongly.
pub(crate) const OF_A_RENAME: [&str; 6] = [
    "it_is_cut_off_unheard",
    "the_answer_is_lost",
    "it_is_carried_out_after_the_time_out",
    "the_engine_says_500",
    "the_engine_says_500_and_has_done_it",
    "the_engine_says_200_and_nothing_more",
];

/// Those that the way by the program is tried with where there is not much time.
pub(crate) const BY_THE_PROGRAM: [&str; 5] = [
    "it_is_cut_off_unheard",
    "it_is_cut_off_and_carried_out",
    "the_answer_is_lost",
    "the_engine_says_500",
    "it_is_carried_out_after_the_time_out",
];

/// Those that what is besides agents' lives is tried with where there is not much time.
pub(crate) const OF_WHAT_IS_BESIDES: [&str; 8] = [
    "it_is_cut_off_unheard",
    "the_answer_is_lost",
    "the_answer_is_cut_in_its_body",
    "headers_come_and_then_nothing",
    "it_is_carried_out_after_the_time_out",
    "the_engine_says_500_in_garbage",
    "the_engine_says_200_and_nothing_more",
    "the_engine_answers_without_end",
];
