//! Backends that take what cannot be right, and change what is.

use alveary_core::*;
use async_trait::async_trait;

use crate::flaw::{Flaw, Inner, cases};

cases! {
    TakesAnything:
        "bad_input::what_cannot_be_right_is_refused_and_nothing_is_begun",
        "errors::an_error_about_a_hostile_spec_is_one_printable_line";
    LeavesOutWhatItCannotDo:
        "bad_input::what_this_backend_cannot_do_is_unsupported_and_nothing_is_begun";
    MakesAnAgentOfAMissingProgram:
        "bad_input::a_program_that_is_not_there_is_refused_and_nothing_is_begun";
    SplitsArgumentsAtSpaces:
        "bad_input::arguments_arrive_as_they_were_given";
    CutsLongArguments:
        "bad_input::an_argument_of_the_full_length_arrives";
    CutsVariablesAtLineBreaks:
        "bad_input::the_environment_arrives_as_it_was_given";
    HandsOnItsWholeEnvironment:
        "bad_input::the_callers_environment_is_not_handed_on";
    HandsOnNothing:
        "bad_input::a_variable_is_inherited_on_request";
}

/// A flaw that is a change of the spec before it is spawned.
macro_rules! changes_the_spec {
    ($flaw:ident, |$spec:ident| $change:expr) => {
        #[derive(Default)]
        struct $flaw;

        #[async_trait]
        impl Flaw for $flaw {
            async fn spawn(
                &self,
                inner: &Inner,
                id: &AgentId,
                mut $spec: AgentSpec,
                options: SpawnOptions,
            ) -> Result<AgentInfo> {
                $change;
                inner.spawn(id, &$spec, options).await
            }
        }
    };
}

fn sleeper(like: &AgentSpec) -> AgentSpec {
    let program = like.command.first().filter(|program| !program.is_empty());
    let program = program.map_or("conformance-agent", String::as_str);
    AgentSpec::new("conformance", [program, "sleep"])
}

changes_the_spec!(TakesAnything, |spec| if spec.validate().is_err() {
    spec = sleeper(&spec);
});

changes_the_spec!(LeavesOutWhatItCannotDo, |spec| {
    spec.limits = Limits::default();
    spec.user = None;
    spec.cwd = None;
});

changes_the_spec!(SplitsArgumentsAtSpaces, |spec| {
    let joined = spec.command.join(" ");
    spec.command = joined.split_whitespace().map(ToOwned::to_owned).collect();
});

changes_the_spec!(CutsLongArguments, |spec| {
    for argument in &mut spec.command {
        argument.truncate(65_536);
    }
});

changes_the_spec!(CutsVariablesAtLineBreaks, |spec| {
    for value in spec.env.values_mut() {
        *value = value.lines().next().unwrap_or_default().to_owned();
    }
});

changes_the_spec!(HandsOnItsWholeEnvironment, |spec| {
    let all = std::env::vars().filter(|(key, _)| !key.starts_with(RESERVED_PREFIX));
    spec.env.extend(all);
});

changes_the_spec!(HandsOnNothing, |spec| spec.inherit.clear());

/// As an engine does that starts a container whose program then cannot be found.
#[derive(Default)]
struct MakesAnAgentOfAMissingProgram;

#[async_trait]
impl Flaw for MakesAnAgentOfAMissingProgram {
    async fn spawn(
        &self,
        inner: &Inner,
        id: &AgentId,
        mut spec: AgentSpec,
        options: SpawnOptions,
    ) -> Result<AgentInfo> {
        if spec.command[0].starts_with("/nonexistent") {
            spec.command = vec!["conformance-agent".to_owned(), "nothing".to_owned()];
        }
        inner.spawn(id, &spec, options).await
    }
}
