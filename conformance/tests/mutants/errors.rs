//! Backends whose errors help nobody.

use std::time::Duration;

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, cases};

cases! {
    KnowsNoCure:
        "errors::every_error_names_the_operation_the_agent_and_the_cure";
    NamesNoAgent:
        "errors::every_error_names_the_operation_the_agent_and_the_cure",
        "identity::an_unknown_id_is_not_found";
    InvitesToRetry:
        "errors::an_error_that_repeats_itself_is_not_to_be_retried";
    SaysThatTheEngineFailed:
        "errors::an_error_about_a_hostile_spec_is_one_printable_line",
        "bad_input::a_program_that_is_not_there_is_refused_and_nothing_is_begun";
}

#[derive(Default)]
struct KnowsNoCure;

#[async_trait]
impl Flaw for KnowsNoCure {
    fn error(&self, error: Error) -> Error {
        let bare = Error::new(error.kind(), error.operation(), error.message());
        match error.agent() {
            Some(id) => bare.with_agent(id),
            None => bare,
        }
    }
}

#[derive(Default)]
struct NamesNoAgent;

#[async_trait]
impl Flaw for NamesNoAgent {
    fn error(&self, error: Error) -> Error {
        let cure = error.cure().unwrap_or_default();
        Error::new(error.kind(), error.operation(), error.message()).with_cure(cure)
    }
}

#[derive(Default)]
struct InvitesToRetry;

#[async_trait]
impl Flaw for InvitesToRetry {
    fn error(&self, error: Error) -> Error {
        error.with_retry(Retry::After(Duration::from_secs(1)))
    }
}

#[derive(Default)]
struct SaysThatTheEngineFailed;

#[async_trait]
impl Flaw for SaysThatTheEngineFailed {
    fn error(&self, error: Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::InvalidSpec => ErrorKind::Engine,
            kind => kind,
        };
        Error::new(kind, error.operation(), error.message())
    }
}
