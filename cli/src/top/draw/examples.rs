//! Swarms as tests show them.

use std::time::{Duration, SystemTime};

use alveary::{AgentId, ByteSize, Incarnation};

use crate::top::model::Model;
use crate::top::row::{Row, Used};
use crate::top::tasks::{Task, Tasks};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(490_000)
}

/// An agent of this name that has run for two minutes.
pub(in crate::top) fn agent(name: &str) -> Row {
    Row {
        id: AgentId::new(format!("id-of-{name}")).unwrap(),
        start: Incarnation::random(),
        name: name.to_owned(),
        state: "running",
        ready: true,
        restarts: 0,
        since: now() - Duration::from_mins(2),
        status: String::new(),
        is_settled: false,
        is_bad: false,
    }
}

/// Four agents, of which one has ended.
pub(in crate::top) fn hive() -> Model {
    let mut model = Model::new("hive");
    model.now = now();
    "process".clone_into(&mut model.backend);
    let mut young = agent("scout-2");
    young.since = now() - Duration::from_secs(7);
    let mut moody = agent("moody");
    moody.since = now() - Duration::from_secs(90);
    moody.state = "starting";
    moody.ready = false;
    moody.restarts = 3;
    "restarted 3 times".clone_into(&mut moody.status);
    let mut brief = agent("brief");
    brief.since = now() - Duration::from_hours(3);
    brief.state = "exited";
    brief.ready = false;
    brief.is_settled = true;
    brief.is_bad = true;
    "exited with code 3".clone_into(&mut brief.status);
    let used = |cpu, memory, pids| Used {
        cpu: Some(cpu),
        memory: Some(ByteSize(memory)),
        pids: Some(pids),
    };
    let scout = agent("scout-1");
    model
        .used
        .insert(scout.id.clone(), used(12.34, 5_500_000, 2));
    model
        .used
        .insert(young.id.clone(), used(0.5, 1_300_000_000, 11));
    model.set_agents(vec![scout, young, moody, brief]);
    model
}

/// The same beside a coordinator.
pub(in crate::top) fn with_tasks() -> Model {
    let mut model = hive();
    let task = |n: u32, status, description: &str| Task {
        id: format!("{n:08}-0000"),
        short: format!("{n:08}"),
        description: description.to_owned(),
        status,
        agent: String::new(),
        sats: None,
        bids: None,
        closes: None,
        given: now() - Duration::from_secs(4),
    };
    let mut open = task(1, "bidding", "count the stars");
    open.closes = Some(now() + Duration::from_millis(10_940));
    open.bids = Some(2);
    open.sats = Some("40".to_owned());
    let mut running = task(2, "running", "read the second chapter aloud, slowly");
    running.agent = "scout-1".to_owned();
    running.sats = Some("12".to_owned());
    let mut failed = task(3, "failed", "square the circle");
    failed.agent = "scout-2".to_owned();
    model.tasks = Some(Tasks {
        counts: vec![
            ("bidding", 1),
            ("running", 1),
            ("completed", 1_204),
            ("failed", 1),
        ],
        list: vec![open, running, failed],
        trouble: None,
    });
    model
}
