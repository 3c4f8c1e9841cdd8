//! The keeper dies, is doctored, or is of another version.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use alveary_core::{
    AgentBackendExt, AgentId, AgentState, EndedBy, ErrorKind, ExitStatus, Signal, SpawnOptions,
    Stop, StopOptions, TreeKill,
};
use libtest_mimic::Trial;

use crate::hive::{
    Hive, exists, listed, output, sh, signal, spawn, spawn_until, state, wait_until,
};
use crate::old_kernel::{Lacking, Lacks};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "agents_outlive_a_keeper_that_was_killed",
            agents_outlive_a_keeper_that_was_killed,
        ),
        trial(
            "a_signal_that_ends_the_keeper_ends_no_agent",
            a_signal_that_ends_the_keeper_ends_no_agent,
        ),
        trial(
            "an_end_that_nobody_saw_is_unknown",
            an_end_that_nobody_saw_is_unknown,
        ),
        trial(
            "an_agent_without_its_mark_outlives_its_keeper",
            an_agent_without_its_mark_outlives_its_keeper,
        ),
        trial(
            "a_force_outlives_the_keeper_that_used_it",
            a_force_outlives_the_keeper_that_used_it,
        ),
        trial(
            "a_line_that_was_cut_off_is_passed_over",
            a_line_that_was_cut_off_is_passed_over,
        ),
        trial(
            "after_a_reboot_no_number_is_believed",
            after_a_reboot_no_number_is_believed,
        ),
        trial(
            "a_keeper_becomes_a_newer_one_in_place",
            a_keeper_becomes_a_newer_one_in_place,
        ),
        trial(
            "a_system_without_handles_on_processes_is_named",
            a_system_without_handles_is_named,
        ),
        trial(
            "a_group_is_never_used_for_two_starts",
            a_group_is_never_used_for_two_starts,
        ),
        trial(
            "an_agent_works_where_its_caller_stands",
            an_agent_works_where_its_caller_stands,
        ),
        trial(
            "a_signal_without_a_name_is_refused_before_anything_is_begun",
            a_signal_without_a_name_is_refused,
        ),
        trial("the_longest_grace_is_a_grace", the_longest_grace_is_a_grace),
        trial(
            "a_keeper_with_nothing_to_keep_ends",
            a_keeper_with_nothing_to_keep_ends,
        ),
        trial(
            "many_who_come_at_once_find_one_keeper",
            many_who_come_at_once_find_one_keeper,
        ),
        trial(
            "a_program_that_is_no_keeper_is_named",
            a_program_that_is_no_keeper_is_named,
        ),
    ]
}

async fn agents_outlive_a_keeper_that_was_killed(hive: Hive) {
    let backend = hive.open().await;
    let spec = sh("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    let agent = spawn_until(&backend, &spec, "ready").await;
    hive.kill_keeper();
    assert!(
        exists(agent.pid.expect("it has a number")),
        "the agent was harmed"
    );
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    let exit = backend
        .stop(&agent.id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert_eq!(exit.by, EndedBy::Us);
    // The code went to the keeper's grave, or not: it is 3 or said to be unknown.
    match &exit.status {
        ExitStatus::Code(3) => {}
        ExitStatus::Unknown { why } => assert!(why.contains("keeper"), "{why}"),
        other => panic!("a wrong answer: {other:?}"),
    }
    assert_eq!(hive.living(), [0; 0]);
}

async fn a_signal_that_ends_the_keeper_ends_no_agent(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn_until(&backend, &sh("echo ready; exec sleep 1000"), "ready").await;
    let keeper = hive.keeper().expect("there is a keeper");
    // Others it may have been told to ignore by whoever started this test, as `nohup` does.
    signal(keeper, rustix::process::Signal::TERM);
    wait_until(|| !exists(keeper), "the keeper to end");
    // Another one takes over.
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    let stopped = backend.stop(&agent.id, StopOptions::default()).await;
    assert_eq!(stopped.expect("it can be stopped").by, EndedBy::Us);
    assert_eq!(hive.living(), [0; 0]);
}

async fn an_end_that_nobody_saw_is_unknown(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn_until(
        &backend,
        &sh("echo ready; read _ < /dev/zero; exit 7"),
        "ready",
    )
    .await;
    hive.kill_keeper();
    let pid = agent.pid.expect("it has a number");
    signal(pid, rustix::process::Signal::KILL);
    wait_until(|| !exists(pid), "the agent to end");
    match state(&backend, &agent.id).await {
        AgentState::Exited(exit) => {
            assert!(
                matches!(exit.status, ExitStatus::Unknown { .. }),
                "{exit:?}"
            );
            assert!(!exit.is_success());
        }
        other => panic!("it has ended: {other:?}"),
    }
}

/// A program may clear its environment, or write its title over it.
async fn an_agent_without_its_mark_outlives_its_keeper(hive: Hive) {
    let backend = hive.open().await;
    let script =
        "exec env -i /bin/sh -c 'trap \"exit 6\" TERM; echo ready; while :; do sleep 0.01; done'";
    let agent = spawn_until(&backend, &sh(script), "ready").await;
    hive.kill_keeper();
    let found = state(&backend, &agent.id).await;
    let pid = agent.pid.expect("it has a number");
    assert!(exists(pid), "the agent was harmed");
    if backend.capabilities().tree_kill == TreeKill::Enforced {
        assert_eq!(found, AgentState::Running, "its group proves it");
        let exit = backend
            .stop(&agent.id, StopOptions::default())
            .await
            .expect("it can be stopped");
        assert_eq!(exit.by, EndedBy::Us);
    } else {
        assert!(matches!(found, AgentState::Unknown { .. }), "{found:?}");
    }
    signal(pid, rustix::process::Signal::KILL);
}

/// What was done by force is known to have been, whoever tells of it.
async fn a_force_outlives_the_keeper_that_used_it(hive: Hive) {
    let backend = hive.open().await;
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let agent = spawn_until(&backend, &sh(script), "ready").await;
    hive.kill_keeper();
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    let exit = backend
        .stop(&agent.id, StopOptions::by_force())
        .await
        .expect("it can be stopped");
    assert_eq!(exit.by, EndedBy::UsByForce);
    assert!(!exit.is_clean());
}

async fn a_line_that_was_cut_off_is_passed_over(hive: Hive) {
    let backend = hive.open().await;
    let first = spawn(&backend, &sh("sleep 1000")).await;
    let second = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    let journal = hive.folder().join("journal");
    let bytes = fs::read(&journal).expect("the journal can be read");
    // Of the second agent's start only a part was written.
    fs::write(&journal, &bytes[..bytes.len() - 40]).expect("the journal can be written");
    let mut found: Vec<_> = listed(&backend)
        .await
        .into_iter()
        .map(|agent| (agent.id, agent.pid))
        .collect();
    found.sort();
    let mut expected = vec![(first.id, first.pid), (second.id, second.pid)];
    expected.sort();
    assert_eq!(
        found, expected,
        "the intent and the process itself tell what the line would have told"
    );
}

async fn after_a_reboot_no_number_is_believed(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    let journal = hive.folder().join("journal");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot id");
    let text = fs::read_to_string(&journal).expect("the journal can be read");
    fs::write(&journal, text.replace(boot.trim(), "another-boot"))
        .expect("the journal can be written");
    match state(&backend, &agent.id).await {
        AgentState::Exited(exit) => match exit.status {
            ExitStatus::Unknown { why } => {
                assert!(why.contains("machine was started again"), "{why}");
            }
            other => panic!("a wrong answer: {other:?}"),
        },
        other => panic!("no process of an earlier boot runs: {other:?}"),
    }
}

async fn a_keeper_becomes_a_newer_one_in_place(hive: Hive) {
    let backend = hive.open().await;
    let stays = spawn(&backend, &sh("sleep 1000")).await;
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let ends = spawn_until(&backend, &sh(script), "ready").await;
    let keeper = hive.keeper().expect("there is a keeper");
    let listed_before = listed(&backend).await.len();
    give_way(&hive);
    assert_eq!(listed(&backend).await.len(), listed_before);
    assert_eq!(hive.keeper(), Some(keeper), "it is the same process");
    assert_eq!(state(&backend, &stays.id).await, AgentState::Running);
    // It is still their parent: the code is known.
    let exit = backend
        .stop(&ends.id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert_eq!(exit.status, ExitStatus::Code(9));
    let exit = backend
        .stop(&stays.id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert_eq!(exit.by, EndedBy::Us);
}

/// Whoever comes later clears up after those that have ended, by the groups that the journal names.
async fn a_group_is_never_used_for_two_starts(hive: Hive) {
    let backend = hive.open().await;
    for _ in 0..20 {
        let ended = spawn(&backend, &sh("exit 0")).await;
        backend.wait(&ended.id).await.expect("it ends");
    }
    // The same process begins to count anew.
    give_way(&hive);
    let mut living = Vec::new();
    for _ in 0..20 {
        let agent = spawn_until(&backend, &sh("echo ready; exec sleep 1000"), "ready").await;
        living.push(agent.pid.expect("it has a number"));
    }
    hive.kill_keeper();
    listed(&backend).await;
    let last = spawn(&backend, &sh("exit 0")).await;
    backend.wait(&last.id).await.expect("it ends");
    living.retain(|&pid| !exists(pid));
    assert_eq!(living, [0; 0], "these were ended with others' groups");
}

/// Says what a client of a newer version says to an older keeper.
pub(crate) fn give_way(hive: &Hive) {
    let program = std::env::current_exe().expect("this program has a path");
    let uid = hive.uid();
    let mut socket =
        UnixStream::connect(hive.folder().join("keeper.sock")).expect("the keeper listens");
    for frame in [
        format!(r#"{{"n":1,"is":{{"hello":{{"version":1,"swarm":"{uid}"}}}}}}"#),
        format!(
            r#"{{"n":2,"is":{{"give-way":{{"program":"{}"}}}}}}"#,
            program.display()
        ),
    ] {
        let len = u32::try_from(frame.len()).expect("a short frame");
        socket
            .write_all(&len.to_le_bytes())
            .expect("it takes a frame");
        socket
            .write_all(frame.as_bytes())
            .expect("it takes a frame");
    }
    // The connection ends with the program that held it.
    let mut rest = Vec::new();
    let _reset = socket.read_to_end(&mut rest);
}

async fn a_keeper_with_nothing_to_keep_ends(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("exit 5")).await;
    assert_eq!(
        backend.wait(&agent.id).await.expect("it ends").status,
        ExitStatus::Code(5)
    );
    let keeper = hive.keeper().expect("there is a keeper");
    drop(backend);
    wait_until(|| !exists(keeper), "the keeper to end");
    // What it knew is known without it, and nobody starts one to ask.
    let backend = hive.open().await;
    assert_eq!(
        backend
            .inspect(&agent.id)
            .await
            .expect("it is known")
            .exit()
            .expect("it ended")
            .code(),
        Some(5)
    );
    assert_eq!(output(&backend, &agent.id).await, "");
    assert_eq!(hive.keeper(), None);
}

async fn many_who_come_at_once_find_one_keeper(hive: Hive) {
    let mut managers = Vec::new();
    for _ in 0..20 {
        managers.push(hive.open().await);
    }
    let spec = sh("sleep 1000");
    let spawned =
        futures_util::future::join_all(managers.iter().map(|backend| spawn(backend, &spec))).await;
    assert_eq!(listed(&managers[0]).await.len(), spawned.len());
    for agent in spawned {
        managers[0]
            .stop(&agent.id, StopOptions::by_force())
            .await
            .expect("it can be stopped");
    }
}

async fn a_program_that_is_no_keeper_is_named(hive: Hive) {
    let backend = hive.open_with_keeper("/bin/true").await;
    let error = backend.check().await.expect_err("it is no keeper");
    assert_eq!(error.kind(), ErrorKind::EngineUnavailable);
    let text = error.to_string();
    assert!(
        text.contains("/bin/true") && text.contains("run_if_asked"),
        "{text}"
    );
}

async fn a_system_without_handles_is_named(hive: Hive) {
    let old = Lacking::new(Lacks::Pidfds);
    let backend = hive
        .open_with_keeper(&old.program().to_string_lossy())
        .await;
    let error = backend
        .spawn(
            &AgentId::random(),
            &sh("sleep 1000"),
            SpawnOptions::default(),
        )
        .await
        .expect_err("nobody could be sure of it");
    let text = error.to_string();
    assert!(
        text.contains("pidfd") && text.contains("Linux 5.4"),
        "{text}"
    );
    assert_eq!(hive.living(), [0; 0]);
}

async fn an_agent_works_where_its_caller_stands(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("pwd -P; umask")).await;
    backend.wait(&agent.id).await.expect("it ends");
    let here = std::env::current_dir()
        .expect("a folder")
        .canonicalize()
        .expect("a path");
    let umask = fs::read_to_string("/proc/self/status").expect("a status");
    let umask = umask
        .lines()
        .find_map(|line| line.strip_prefix("Umask:\t"))
        .expect("a umask")
        .to_owned();
    assert_eq!(
        output(&backend, &agent.id).await,
        format!("{}\n{umask}\n", here.display())
    );
}

async fn a_signal_without_a_name_is_refused(hive: Hive) {
    let backend = hive.open().await;
    let nameless = Signal::from_number(37).expect("a real-time signal");
    let spec = sh("sleep 1000").stop(Stop::default().signal(nameless));
    let error = backend
        .spawn(&AgentId::random(), &spec, SpawnOptions::default())
        .await
        .expect_err("it could never be stopped so");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    let stop = StopOptions::default().with_signal(nameless);
    backend
        .stop(&agent.id, stop)
        .await
        .expect_err("it cannot be sent");
    assert_eq!(
        state(&backend, &agent.id).await,
        AgentState::Running,
        "nothing was begun"
    );
    backend
        .stop(&agent.id, StopOptions::default())
        .await
        .expect("it can be stopped");
}

async fn the_longest_grace_is_a_grace(hive: Hive) {
    let backend = hive.open().await;
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let agent = spawn_until(&backend, &sh(script), "ready").await;
    let stop = StopOptions::default().with_grace(std::time::Duration::MAX);
    let exit = backend
        .stop(&agent.id, stop)
        .await
        .expect("it can be stopped");
    assert_eq!(exit.status, ExitStatus::Code(3));
}
