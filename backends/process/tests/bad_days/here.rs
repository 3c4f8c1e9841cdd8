//! Agents that the manager's own process keeps, and folders that several paths lead to.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentBackendExt, BackendConfig, ConnectContext, ErrorKind, ExitStatus,
    ListOptions, LogOptions, RemoveOptions, StopOptions, SwarmName, SwarmUid,
};
use alveary_process::ProcessConfig;
use futures_util::StreamExt;
use libtest_mimic::Trial;

use crate::hive::{Hive, exists, listed, processes, sh, spawn, spawn_until, wait_until};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_folder_is_the_same_whatever_path_leads_to_it",
            a_folder_is_the_same_whatever_path_leads_to_it,
        ),
        trial(
            "a_relative_folder_means_the_same_to_a_keeper",
            a_relative_folder_means_the_same_to_a_keeper,
        ),
        trial(
            "another_swarm_is_not_given_the_agents_that_this_process_keeps",
            another_swarm_is_not_given_the_agents,
        ),
        trial(
            "what_a_swarm_without_a_folder_has_goes_with_its_last_handle",
            what_a_swarm_without_a_folder_has_goes,
        ),
        trial(
            "dropping_ends_no_agent_that_can_be_found_again",
            dropping_ends_no_agent_that_can_be_found_again,
        ),
        trial(
            "a_folder_that_is_not_there_is_refused_at_once",
            a_folder_that_is_not_there_is_refused,
        ),
    ]
}

async fn a_folder_is_the_same_whatever_path_leads_to_it(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.keeper = false);
    let folder = hive.folder().to_owned();
    let backend = hive.open().await;
    let agent = spawn(
        &backend,
        &sh("trap 'exit 8' TERM; while :; do sleep 0.01; done"),
    )
    .await;
    let link = folder.join("link");
    symlink(&folder, &link).expect("a link can be made");
    std::fs::create_dir(folder.join("sub")).expect("a folder can be made");
    for path in [link, folder.join("sub/.."), relative_to_here(&folder)] {
        hive.move_to(path);
        let other = hive.open().await;
        assert_eq!(listed(&other).await.len(), 1, "{}", hive.folder().display());
    }
    backend
        .remove(&agent.id, RemoveOptions::default().with_force(true))
        .await
        .expect("it goes");
}

/// A path that says the same as seen from where this process stands.
fn relative_to_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().expect("a folder");
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").expect("a whole path"))
}

async fn a_relative_folder_means_the_same_to_a_keeper(hive: Hive) {
    let mut hive = hive;
    let folder = hive.folder().to_owned();
    hive.move_to(relative_to_here(&folder));
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("echo here; exit 5")).await;
    let exit = backend.wait(&agent.id).await.expect("it ends");
    assert_eq!(exit.status, ExitStatus::Code(5));
    assert_eq!(crate::hive::output(&backend, &agent.id).await, "here\n");
    assert!(folder.join("journal").exists());
}

async fn another_swarm_is_not_given_the_agents(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.keeper = false);
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    let stranger = hive.open_as_another_swarm().await;
    for refused in [
        stranger.list(ListOptions::default()).await.map(drop),
        stranger
            .stop(&agent.id, StopOptions::by_force())
            .await
            .map(drop),
        stranger
            .spawn(
                &alveary_core::AgentId::random(),
                &sh("sleep 1000"),
                alveary_core::SpawnOptions::default(),
            )
            .await
            .map(drop),
    ] {
        let error = refused.expect_err("these are not its agents");
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert!(exists(agent.pid.expect("it has a number")));
    assert_eq!(listed(&backend).await.len(), 1);
    backend
        .remove(&agent.id, RemoveOptions::default().with_force(true))
        .await
        .expect("it goes");
}

async fn what_a_swarm_without_a_folder_has_goes(hive: Hive) {
    let context = ConnectContext::new(SwarmName::new("passing").expect("a name"), hive.uid());
    let backend: Arc<dyn AgentBackend> = ProcessConfig::default()
        .connect(context)
        .await
        .expect("the backend connects");
    let stubborn = sh("trap '' TERM; sleep 1000 & echo $PPID; echo ready; wait");
    let agent = spawn_until(&backend, &stubborn, "ready").await;
    let pid = agent.pid.expect("it has a number");
    let folder = folder_of(pid);
    assert!(folder.exists());
    let mut log = backend
        .logs(&agent.id, LogOptions::default().with_follow(true))
        .await
        .expect("a log");
    let other = Arc::clone(&backend);
    drop(backend);
    assert!(exists(pid), "another handle is there");
    drop(other);
    assert!(exists(pid), "somebody still reads what it writes");
    assert!(log.next().await.is_some());
    drop(log);
    wait_until(|| hive.living().is_empty(), "its agents to end");
    wait_until(|| !folder.exists(), "its folder to go");
    assert!(!processes().any(|other| other == pid && exists(pid)));
}

/// The folder that holds the log to which this process writes.
fn folder_of(pid: u32) -> PathBuf {
    let log = std::fs::read_link(format!("/proc/{pid}/fd/1")).expect("it has an output");
    let folder = log
        .ancestors()
        .nth(2)
        .expect("a folder of logs in a folder");
    folder.to_owned()
}

async fn dropping_ends_no_agent_that_can_be_found_again(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.keeper = false);
    let backend = hive.open().await;
    let agent = spawn_until(&backend, &sh("echo ready; sleep 1000"), "ready").await;
    drop(backend);
    let backend = hive.open().await;
    assert_eq!(listed(&backend).await.len(), 1);
    assert!(exists(agent.pid.expect("it has a number")));
    let exit = backend
        .stop(&agent.id, StopOptions::default())
        .await
        .expect("it can be stopped");
    assert!(
        !matches!(exit.status, ExitStatus::Unknown { .. }),
        "it was kept all the time: {exit:?}"
    );
}

async fn a_folder_that_is_not_there_is_refused(hive: Hive) {
    let name = SwarmName::new("nowhere").expect("a name");
    let context =
        ConnectContext::new(name, SwarmUid::random()).with_state_dir(hive.folder().join("nowhere"));
    let error = ProcessConfig::default()
        .connect(context)
        .await
        .expect_err("there is no such folder");
    assert!(error.to_string().contains("state folder"), "{error}");
}
