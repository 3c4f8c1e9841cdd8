//! Programs that run beside agents, and agents that are held still, when those who did it die.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use alveary_core::{
    AgentBackend, AgentId, AgentInfo, AgentState, BackendConfig, ByteSize, ConnectContext,
    ExecSpec, Execution, ExitStatus, Limits, PauseOptions, StopOptions, SwarmName,
};
use alveary_process::ProcessConfig;
use futures_util::StreamExt;
use libtest_mimic::{Completion, Trial};

use crate::hive::{Hive, exists, sh, spawn, spawn_until, state, wait_until};
use crate::keeper::give_way;
use crate::{trial, trial_if_possible};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_program_beside_an_agent_ends_with_its_caller_that_is_killed",
            a_program_ends_with_its_caller,
        ),
        trial(
            "a_program_beside_an_agent_ends_with_its_keeper_that_is_killed",
            a_program_ends_with_its_keeper,
        ),
        trial(
            "a_program_beside_an_agent_ends_when_its_keeper_becomes_another",
            a_program_ends_when_its_keeper_becomes_another,
        ),
        trial(
            "a_program_beside_an_agent_has_its_limits_and_its_mask",
            a_program_has_the_agents_limits,
        ),
        trial(
            "a_hundred_programs_leave_nothing_with_the_keeper",
            a_hundred_programs_leave_nothing,
        ),
        trial(
            "what_a_program_has_left_behind_holds_up_nobody_who_reads",
            what_a_program_has_left_behind_holds_up_nobody,
        ),
        trial_if_possible(
            "an_agent_that_was_paused_is_found_so_by_the_next_keeper",
            an_agent_that_was_paused_is_found_so,
        ),
    ]
}

/// What a caller that is to be killed finds in its environment: folder, swarm, agent.
const CALLER: &str = "ALVEARY_TEST_CALLER";

/// Becomes a caller that runs a program beside an agent and waits to be killed.
pub(crate) fn become_caller_if_asked() {
    let Ok(order) = std::env::var(CALLER) else {
        return;
    };
    let mut words = order.split('|');
    let mut word = || words.next().expect("three words");
    let folder = PathBuf::from(word());
    let swarm = word().parse().expect("a uid");
    let id = AgentId::new(word()).expect("an id");
    crate::in_runtime(async {
        let name = SwarmName::new("caller").expect("a good name");
        let context = ConnectContext::new(name, swarm).with_state_dir(folder);
        let connected = ProcessConfig::default().connect(context).await;
        let backend = connected.expect("the backend connects");
        let mut running = stay(&backend, &id).await;
        let mut output = running.output.take().expect("it writes");
        output.next().await.expect("it writes").expect("it writes");
        writeln!(std::io::stdout(), "ready").expect("it is heard");
        std::future::pending::<()>().await;
    });
}

async fn stay(backend: &Arc<dyn AgentBackend>, id: &AgentId) -> Execution {
    let script = "trap '' TERM HUP; echo ready; exec sleep 86400";
    run(backend, id, script).await
}

async fn run(backend: &Arc<dyn AgentBackend>, id: &AgentId, script: &str) -> Execution {
    let exec = backend.exec().expect("it runs programs");
    let spec = ExecSpec::new(["sh", "-c", script]);
    exec.run(id, &spec).await.expect("the program starts")
}

async fn told(backend: &Arc<dyn AgentBackend>, id: &AgentId, script: &str) -> String {
    let running = run(backend, id, script).await;
    let told = running.collect(ByteSize::mib(1)).await.expect("it ends");
    String::from_utf8_lossy(&told.stdout).into_owned()
}

async fn until_ready(running: &mut Execution) {
    let output = running.output.as_mut().expect("it writes");
    output.next().await.expect("it writes").expect("it writes");
}

/// An agent that is one process.
async fn agent(backend: &Arc<dyn AgentBackend>) -> AgentInfo {
    spawn_until(backend, &sh("echo ready; exec sleep 1000"), "ready").await
}

fn wait_until_alone(hive: &Hive, agent: &AgentInfo) {
    let alone = [agent.pid.expect("it has a number")];
    wait_until(|| hive.living() == alone, "the agent to be alone");
}

async fn a_program_ends_with_its_caller(hive: Hive) {
    let backend = hive.open().await;
    let agent = agent(&backend).await;
    let order = format!("{}|{}|{}", hive.folder().display(), hive.uid(), agent.id);
    let mut caller = Command::new(std::env::current_exe().expect("a path"))
        .env(CALLER, order)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the caller starts");
    let mut line = String::new();
    let mut says = BufReader::new(caller.stdout.take().expect("it is piped"));
    says.read_line(&mut line).expect("it says so");
    assert_eq!(line, "ready\n");
    assert!(hive.living().len() > 1, "the program does not run");
    caller.kill().expect("it can be killed");
    caller.wait().expect("it ends");
    wait_until_alone(&hive, &agent);
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
}

async fn a_program_ends_with_its_keeper(hive: Hive) {
    let backend = hive.open().await;
    let agent = agent(&backend).await;
    let mut running = stay(&backend, &agent.id).await;
    until_ready(&mut running).await;
    hive.kill_keeper();
    wait_until_alone(&hive, &agent);
    let status = running.wait().await.expect("its end is told");
    assert!(matches!(status, ExitStatus::Unknown { .. }), "{status:?}");
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    assert_eq!(told(&backend, &agent.id, "echo again").await, "again\n");
}

async fn a_program_ends_when_its_keeper_becomes_another(hive: Hive) {
    let backend = hive.open().await;
    let agent = agent(&backend).await;
    let mut running = stay(&backend, &agent.id).await;
    until_ready(&mut running).await;
    give_way(&hive);
    wait_until_alone(&hive, &agent);
    let status = running.wait().await.expect("its end is told");
    assert!(!matches!(status, ExitStatus::Code(_)), "{status:?}");
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    assert_eq!(told(&backend, &agent.id, "echo again").await, "again\n");
}

async fn a_program_has_the_agents_limits(hive: Hive) {
    let backend = hive.open().await;
    let spec = sh("sleep 1000").limits(Limits::default().nofile(77));
    let agent = spawn(&backend, &spec).await;
    let script = "ulimit -n; umask; kill -0 $PPID; echo $?";
    let told = told(&backend, &agent.id, script).await;
    let here = Command::new("sh")
        .args(["-c", "umask"])
        .output()
        .expect("sh runs");
    let umask = String::from_utf8_lossy(&here.stdout).into_owned();
    assert_eq!(told, format!("77\n{umask}0\n"));
}

async fn a_hundred_programs_leave_nothing(hive: Hive) {
    let backend = hive.open().await;
    let agent = agent(&backend).await;
    let keeper = hive.keeper().expect("there is a keeper");
    let descriptors = || {
        let open = std::fs::read_dir(format!("/proc/{keeper}/fd"));
        let open = open.expect("the keeper lives").flatten();
        // One that is closed meanwhile leads nowhere. When an agent's output is looked at is the keeper's own affair.
        let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links
            .filter(|link| !link.to_string_lossy().contains("/logs/"))
            .count()
    };
    told(&backend, &agent.id, "exit").await;
    wait_until_alone(&hive, &agent);
    let before = descriptors();
    for round in 0..50 {
        let (ended, dropped) = tokio::join!(
            told(&backend, &agent.id, "echo word"),
            stay(&backend, &agent.id),
        );
        assert_eq!(ended, "word\n", "round {round}");
        drop(dropped);
    }
    wait_until_alone(&hive, &agent);
    wait_until(
        || descriptors() <= before,
        "the keeper to close what it had",
    );
    let cgroup = std::fs::read_to_string(format!("/proc/{}/cgroup", agent.pid.unwrap_or(0)));
    let group = cgroup.expect("the agent lives");
    let group = group.lines().find_map(|line| line.strip_prefix("0::"));
    for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        let folder = format!("{mount}{}", group.unwrap_or("/"));
        if backend.pause().is_some() && Path::new(&folder).exists() {
            let groups = || {
                let all = std::fs::read_dir(&folder).expect("the group is there");
                let names = all.flatten().map(|entry| entry.file_name());
                names
                    .filter(|name| name.to_string_lossy().starts_with("beside-"))
                    .count()
            };
            wait_until(|| groups() == 0, "the groups to be gone");
        }
    }
}

async fn what_a_program_has_left_behind_holds_up_nobody(hive: Hive) {
    let backend = hive.open().await;
    let agent = agent(&backend).await;
    // The one that is left has the program's output open for as long as it lives.
    let text = told(&backend, &agent.id, "sleep 1000 & echo left").await;
    assert_eq!(text, "left\n");
    assert_eq!(hive.living().len(), 2, "what it left goes on");
    let stopped = backend.stop(&agent.id, StopOptions::default()).await;
    stopped.expect("it can be stopped");
    assert_eq!(hive.living(), [0; 0]);
}

async fn an_agent_that_was_paused_is_found_so(hive: Hive) -> Completion {
    let backend = hive.open().await;
    let agent = spawn_until(
        &backend,
        &sh("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done"),
        "ready",
    )
    .await;
    let Some(pause) = backend.pause() else {
        return Completion::ignored_with("needs control groups: run the tests as root");
    };
    let frozen = pause.freeze(&agent.id, PauseOptions::default()).await;
    frozen.expect("it can be paused");
    hive.kill_keeper();
    let paused = async || {
        let info = backend.inspect(&agent.id).await;
        info.expect("it is known").paused
    };
    // Whoever is asked for it is the next keeper, or the journal alone.
    let _list = backend.check().await.expect("a keeper is there");
    assert!(paused().await, "the next keeper does not know");
    assert!(exists(agent.pid.expect("it has a number")));
    let stopped = backend.stop(&agent.id, StopOptions::default()).await;
    stopped.expect("it can be stopped");
    assert!(!paused().await);
    assert_eq!(hive.living(), [0; 0]);
    Completion::Completed
}
