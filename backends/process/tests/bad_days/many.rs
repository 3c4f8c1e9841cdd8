//! A thousand agents at once, and as many as are asked for.

use std::time::Instant;

use alveary_core::{AgentId, RemoveOptions, SpawnOptions, StopOptions};
use futures_util::{StreamExt, TryStreamExt, stream};
use libtest_mimic::Trial;

use crate::hive::{Hive, listed, sh};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("a_thousand_agents_come_and_go", |hive| {
            come_and_go(hive, true)
        }),
        trial("a_thousand_agents_without_groups_come_and_go", |hive| {
            come_and_go(hive, false)
        }),
    ]
}

/// How many are under way at a time.
const AT_ONCE: usize = 64;

fn how_many() -> usize {
    std::env::var("TORTURE_AGENTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000)
}

/// Says how long each part took, and how much of the processor the keeper used for it.
struct Clock<'a> {
    hive: &'a Hive,
    begun: Instant,
    used: u64,
    laps: Vec<String>,
}

impl Clock<'_> {
    fn lap(&mut self, what: &str) {
        let used = self.hive.keeper().map_or(0, used_by);
        // A keeper that came since began at nothing.
        let of_this = used.checked_sub(self.used).unwrap_or(used);
        let took = self.begun.elapsed();
        self.laps
            .push(format!("{what} {took:.2?} (keeper {of_this} ms)"));
        self.begun = Instant::now();
        self.used = used;
    }
}

/// Milliseconds of the processor.
fn used_by(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    // The 14th and the 15th field of the file, in hundredths of a second.
    let user = fields.nth(11).and_then(|ticks| ticks.parse::<u64>().ok());
    let system = fields.next().and_then(|ticks| ticks.parse::<u64>().ok());
    (user.unwrap_or(0) + system.unwrap_or(0)) * 10
}

/// How many descriptors it has, which is hardly more than one for an agent.
fn one_for_each(keeper: u32, agents: usize) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{keeper}/fd"))
        .expect("it lives")
        .count();
    assert!(
        descriptors < agents + 200,
        "{descriptors} descriptors for {agents} agents"
    );
    descriptors
}

async fn come_and_go(hive: Hive, cgroups: bool) {
    let mut hive = hive;
    hive.configure(|config| config.cgroups = cgroups);
    let count = how_many();
    let backend = hive.open().await;
    let spec = sh("exec sleep 100000");
    let mut clock = Clock {
        hive: &hive,
        begun: Instant::now(),
        used: 0,
        laps: Vec::new(),
    };
    let start = |_| async {
        let id = AgentId::random();
        let options = SpawnOptions::default();
        backend.spawn(&id, &spec, options).await
    };
    let agents: Vec<_> = stream::iter(0..count)
        .map(start)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
        .expect("all start");
    clock.lap("start");
    assert_eq!(listed(&backend).await.len(), count);
    clock.lap("list");
    let keeper = hive.keeper().expect("there is a keeper");
    let descriptors = one_for_each(keeper, count);
    let memory = crate::logs::resident(keeper);
    hive.kill_keeper();
    clock.lap("kill the keeper");
    let found = listed(&backend).await;
    assert!(
        found.len() == count && found.iter().all(|agent| agent.state.as_str() == "running"),
        "all are found again"
    );
    clock.lap("find again");
    one_for_each(hive.keeper().expect("there is a keeper"), count);
    // Half of them by a keeper that is not their parent, and half by removing them.
    let (stopped, removed) = agents.split_at(count / 2);
    let stop = |id: AgentId| {
        let backend = &backend;
        async move { backend.stop(&id, StopOptions::by_force()).await.map(drop) }
    };
    stream::iter(stopped.iter().map(|agent| agent.id.clone()))
        .map(stop)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
        .expect("all can be stopped");
    clock.lap("stop half");
    let remove = |id: AgentId| {
        let backend = &backend;
        async move {
            let options = RemoveOptions::default().with_force(true);
            backend.remove(&id, options).await
        }
    };
    stream::iter(removed.iter().chain(stopped).map(|agent| agent.id.clone()))
        .map(remove)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
        .expect("all go");
    clock.lap("remove all");
    assert!(listed(&backend).await.is_empty());
    assert_eq!(hive.living(), [0; 0]);
    #[expect(clippy::print_stdout, reason = "figures are why one asks for more")]
    {
        println!(
            "{count} agents, cgroups {cgroups}: {}; keeper {} KiB, {descriptors} descriptors",
            clock.laps.join(", "),
            memory / 1024
        );
    }
}
