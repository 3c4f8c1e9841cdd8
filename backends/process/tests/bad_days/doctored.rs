//! Journals in which something else stands than was written: nobody is harmed who is not an agent.

use std::fs;
use std::process::{Child, Command};

use alveary_core::{
    AgentBackendExt, AgentId, AgentInfo, AgentState, ErrorKind, ExitStatus, Incarnation,
    ListOptions, RemoveOptions, SpawnOptions, StopOptions, SwarmUid, TreeKill,
};
use libtest_mimic::{Completion, Trial};

use crate::hive::{Hive, exists, listed, sh, spawn, state};
use crate::{trial, trial_if_possible};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_doctored_journal_harms_nobody",
            a_doctored_journal_harms_nobody,
        ),
        trial(
            "the_right_nonce_with_another_swarms_uid_proves_nothing",
            the_right_nonce_with_another_swarms_uid_proves_nothing,
        ),
        trial(
            "who_carries_the_nonce_in_another_swarm_is_not_ended_with_the_tree",
            who_carries_the_nonce_in_another_swarm_is_not_ended,
        ),
        trial_if_possible(
            "another_swarms_group_in_the_journal_is_left_alone",
            another_swarms_group_is_left_alone,
        ),
        trial(
            "lines_that_cannot_be_read_are_kept_aside_and_told_of",
            lines_that_cannot_be_read_are_kept_aside,
        ),
        trial(
            "a_folder_of_another_swarm_is_a_conflict_without_a_keeper_too",
            a_folder_of_another_swarm_is_a_conflict,
        ),
    ]
}

/// A process that is nobody's agent.
struct Innocent(Child);

impl Innocent {
    fn new() -> Self {
        Self::with(&[])
    }

    /// Which says so of itself in its environment.
    fn carrying(agent: &AgentInfo, swarm: SwarmUid) -> Self {
        Self::with(&[
            ("ALVEARY_SWARM", swarm.to_string()),
            ("ALVEARY_AGENT_ID", agent.id.to_string()),
            ("ALVEARY_INCARNATION", agent.incarnation.to_string()),
        ])
    }

    fn with(env: &[(&str, String)]) -> Self {
        let env = env.iter().map(|(key, value)| (key, value));
        let child = Command::new("sleep").arg("1000").envs(env).spawn();
        Self(child.expect("sleep starts"))
    }

    fn is_unharmed(&mut self) -> bool {
        self.0.try_wait().expect("it can be asked").is_none()
    }

    fn start(&self) -> String {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("it lives");
        let rest = stat.rsplit(") ").next().expect("a name");
        rest.split(' ').nth(19).expect("a start").to_owned()
    }

    fn end(&mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        // Ended already, if all went well.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// Rewrites the journal of a swarm that has no keeper, line by line.
fn doctor(hive: &Hive, change: impl Fn(&mut serde_json::Value)) {
    let journal = hive.folder().join("journal");
    let text = fs::read_to_string(&journal).expect("the journal can be read");
    let lines = text.lines().map(|line| {
        let mut line = serde_json::from_str(line).expect("a whole line");
        change(&mut line);
        line.to_string()
    });
    let doctored: Vec<_> = lines.collect();
    fs::write(&journal, doctored.join("\n") + "\n").expect("the journal can be written");
}

/// The agent's number becomes that of a stranger, whose start is right too.
fn make_it_mean(hive: &Hive, innocent: &Innocent) {
    let start: u64 = innocent.start().parse().expect("a number");
    let process = serde_json::json!({"pid": innocent.0.id(), "start": start});
    doctor(hive, |line| {
        if let Some(found) = line.get_mut("process") {
            *found = process.clone();
        }
    });
}

async fn is_in_doubt_and_left_alone(hive: &Hive, agent: &AgentInfo, innocent: &mut Innocent) {
    let backend = hive.open().await;
    match state(&backend, &agent.id).await {
        AgentState::Unknown { why } => assert!(why.contains("proves"), "{why}"),
        other => panic!("nobody can know that: {other:?}"),
    }
    for attempt in [
        backend
            .stop(&agent.id, StopOptions::by_force())
            .await
            .map(drop),
        backend
            .remove(&agent.id, RemoveOptions::default().with_force(true))
            .await,
    ] {
        let error = attempt.expect_err("a stranger is not touched");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let number = innocent.0.id().to_string();
        assert!(error.to_string().contains(&number), "{error}");
    }
    assert!(innocent.is_unharmed(), "an innocent process was ended");
    // With the stranger's end the doubt is over.
    innocent.end();
    let exit = backend.wait(&agent.id).await.expect("it ends");
    assert!(
        matches!(exit.status, ExitStatus::Unknown { .. }),
        "{exit:?}"
    );
    backend
        .remove(&agent.id, RemoveOptions::default())
        .await
        .expect("it goes");
}

async fn a_doctored_journal_harms_nobody(hive: Hive) {
    let agent = spawn(&hive.open().await, &sh("sleep 1000")).await;
    let mut innocent = Innocent::new();
    hive.kill_keeper();
    make_it_mean(&hive, &innocent);
    is_in_doubt_and_left_alone(&hive, &agent, &mut innocent).await;
}

async fn the_right_nonce_with_another_swarms_uid_proves_nothing(hive: Hive) {
    let agent = spawn(&hive.open().await, &sh("sleep 1000")).await;
    let mut innocent = Innocent::carrying(&agent, SwarmUid::random());
    hive.kill_keeper();
    make_it_mean(&hive, &innocent);
    is_in_doubt_and_left_alone(&hive, &agent, &mut innocent).await;
}

async fn who_carries_the_nonce_in_another_swarm_is_not_ended(hive: Hive) {
    let mut hive = hive;
    hive.configure(|config| config.cgroups = false);
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000 & wait")).await;
    let mut innocent = Innocent::carrying(&agent, SwarmUid::random());
    // The next keeper is not its parent, and finds its tree by what that carries.
    hive.kill_keeper();
    backend
        .stop(&agent.id, StopOptions::by_force())
        .await
        .expect("it can be stopped");
    assert!(innocent.is_unharmed(), "an innocent process was ended");
    innocent.end();
    assert_eq!(hive.living(), [0; 0], "its own tree is gone");
}

async fn another_swarms_group_is_left_alone(hive: Hive) -> Completion {
    let neighbour = Hive::new("neighbour");
    let neighbours = neighbour.open().await;
    neighbours.check().await.expect("it can be checked");
    if neighbours.capabilities().tree_kill != TreeKill::Enforced {
        return Completion::ignored_with(crate::processes::NO_CGROUP);
    }
    let theirs = spawn(&neighbours, &sh("sleep 1000")).await;
    let journal = fs::read_to_string(neighbour.folder().join("journal")).expect("a journal");
    let group = journal
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|line| line.get("cgroup").cloned())
        .expect("it is in a group");
    let (running, ended) = {
        let backend = hive.open().await;
        let ended = spawn(&backend, &sh("exit 0")).await;
        backend.wait(&ended.id).await.expect("it ends");
        (spawn(&backend, &sh("sleep 1000")).await, ended)
    };
    hive.kill_keeper();
    doctor(&hive, |line| {
        if let Some(found) = line.get_mut("cgroup") {
            *found = group.clone();
        }
    });
    let backend = hive.open().await;
    assert_eq!(listed(&backend).await.len(), 2);
    for agent in [running, ended] {
        backend
            .remove(&agent.id, RemoveOptions::default().with_force(true))
            .await
            .expect("it goes");
    }
    assert!(
        exists(theirs.pid.expect("it has a number")),
        "another swarm's agent was ended"
    );
    assert_eq!(hive.living(), [0; 0]);
    Completion::Completed
}

async fn a_folder_of_another_swarm_is_a_conflict(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    let stranger = hive.open_as_another_swarm().await;
    let error = stranger
        .list(ListOptions::default())
        .await
        .expect_err("these are not its agents");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let error = stranger
        .spawn(
            &AgentId::random(),
            &sh("sleep 1000"),
            SpawnOptions::default().with_incarnation(Incarnation::random()),
        )
        .await
        .expect_err("this is not its folder");
    assert!(error.to_string().contains("another swarm"), "{error}");
    assert_eq!(listed(&backend).await.len(), 1, "its own find it as it was");
    assert!(exists(agent.pid.expect("it has a number")));
}

async fn lines_that_cannot_be_read_are_kept_aside(hive: Hive) {
    let backend = hive.open().await;
    let agent = spawn(&backend, &sh("sleep 1000")).await;
    hive.kill_keeper();
    let lines = "{\"is\":\"of-the-future\",\"id\":\"x\"}\n\u{0}\u{1} no JSON\n{\"is\":\"exi";
    let journal = hive.folder().join("journal");
    let mut text = fs::read_to_string(&journal).expect("the journal can be read");
    text.push_str(lines);
    fs::write(&journal, text).expect("the journal can be written");
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    let aside = hive.folder().join("journal.unreadable");
    let kept = fs::read_to_string(&aside).expect("they are kept");
    assert_eq!(kept, format!("{lines}\n"));
    let health = backend.check().await.expect("it can be checked");
    let told = format!("{health:?}");
    assert!(told.contains("journal.unreadable"), "{told}");
    // Once.
    hive.kill_keeper();
    assert_eq!(state(&backend, &agent.id).await, AgentState::Running);
    let kept = fs::read_to_string(&aside).expect("they are kept");
    assert_eq!(kept, format!("{lines}\n"));
}
