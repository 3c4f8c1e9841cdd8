//! Engines that are elsewhere, as far as anybody can tell: reached by secured connections and by ssh.

#[path = "../common/mod.rs"]
mod common;
mod contexts;
#[path = "../engines/here.rs"]
#[expect(dead_code, reason = "the other trials on engines use all of it")]
mod here;
mod leases;
#[path = "../common/missing.rs"]
mod missing;
mod secrets;
mod ssh;
mod sshd;
mod tls;

use std::process::{Command, ExitCode};
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, ByteSize, EndedBy, ExitStatus, ListOptions, StopOptions,
};
use common::TestEngine;
use here::{Here, remove_all, until_term, written};
use libtest_mimic::{Arguments, Completion, Trial};
use serde::Serialize;
use tokio::runtime::Runtime;

type Try = fn(TestEngine) -> futures_util::future::BoxFuture<'static, ()>;

macro_rules! trials {
    ($($module:ident::$sentence:ident),+ $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($sentence)), (|engine| Box::pin($module::$sentence(engine))) as Try)),+]
    };
}

/// Podman's service knows neither secured connections nor Docker's program.
const ENGINES: [&str; 2] = ["docker-20", "docker-new"];

fn main() -> ExitCode {
    if !sshd::is_around() {
        return around();
    }
    let runtime = Arc::new(Runtime::new().expect("a runtime starts"));
    if let Some(engine) = contexts::within() {
        runtime.block_on(contexts::tell(engine));
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let trials = trials![
        tls::agents_run_by_a_secured_connection,
        tls::who_lets_nobody_in_is_told_with_the_cure,
        contexts::what_a_context_has_secures_its_connections,
        ssh::agents_run_by_ssh,
        ssh::what_is_the_matter_with_ssh_is_told_with_the_cure,
        ssh::the_socket_over_there_may_be_named,
        ssh::many_at_once_are_not_turned_away,
        ssh::what_is_followed_goes_on_after_a_connection_was_lost,
        leases::of_many_who_begin_a_term_one_has_it,
        leases::an_engine_of_this_host_keeps_none,
        secrets::they_go_to_another_host_as_variables_and_in_no_other_way,
    ];
    let mut all = Vec::new();
    for name in ENGINES {
        for (sentence, attempt) in trials {
            let runtime = Arc::clone(&runtime);
            let cure = if TestEngine::is_there(name) {
                (sentence.starts_with("ssh::") && !sshd::is_installed()).then_some(sshd::CURE)
            } else {
                Some(common::CURE)
            };
            let trial = Trial::ignorable_test(format!("{name}::{sentence}"), move || {
                if let Some(cure) = cure {
                    return missing::without(cure);
                }
                runtime.block_on(attempt(TestEngine::named(name)));
                Ok(Completion::Completed)
            });
            all.push(trial);
        }
    }
    libtest_mimic::run(&arguments, all).exit_code()
}

/// Runs itself with a `ssh` that reads a folder's settings in the place of its user's.
fn around() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut itself = Command::new(std::env::current_exe().expect("this program is a file"));
    itself.args(std::env::args_os().skip(1));
    sshd::surround(&mut itself, folder.path());
    let status = itself.status().expect("this program can be started");
    drop(folder);
    ExitCode::from(u8::from(!status.success()))
}

/// With one more setting.
fn with(mut here: Here, key: &str, value: impl Serialize) -> Here {
    let value = serde_json::to_value(value).expect("settings are JSON");
    here.settings.insert(key.to_owned(), value);
    here
}

/// What everybody wants of an agent, by one way.
async fn an_agent_lives_and_ends(here: &Here, backend: &dyn AgentBackend) {
    let id = AgentId::random();
    let spec = until_term(3);
    let options = alveary_core::SpawnOptions::default();
    backend.spawn(&id, &spec, options).await.expect("it starts");
    written(backend, &id, "ready\n").await;
    assert_eq!(here.containers(), [here.name_of(&id)]);
    let exec = backend.exec().expect("programs run beside agents");
    let beside = alveary_core::ExecSpec::new(["echo", "beside"]);
    let execution = exec.run(&id, &beside).await.expect("it runs");
    let collected = execution.collect(ByteSize::mib(1)).await.expect("it ends");
    assert_eq!(collected.stdout, b"beside\n");
    let exit = backend.stop(&id, StopOptions::default()).await;
    let exit = exit.expect("it ends");
    assert_eq!((exit.status, exit.by), (ExitStatus::Code(3), EndedBy::Us));
    let listed = backend.list(ListOptions::default()).await.expect("a list");
    assert_eq!(listed.len(), 1);
    remove_all(backend).await;
    assert!(here.containers().is_empty());
}

/// What an engine that is not reached says for itself, by one way.
async fn refusal(backend: &dyn AgentBackend) -> alveary_core::Error {
    let error = backend.check().await.expect_err("nobody is reached");
    assert!(error.cure().is_some(), "{error}");
    error
}
