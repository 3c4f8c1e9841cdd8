//! Keepers that die or stand still at moments that nobody chose, and keepers that run out of what they need.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use alveary_conformance::ProcWitness;
use alveary_core::{
    AgentBackend, AgentBackendExt, AgentId, AgentState, Error, ErrorKind, ExitStatus, LogOptions,
    RemoveOptions, Retry, SpawnOptions, StopOptions,
};
use futures_util::future::join_all;
use libtest_mimic::Trial;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::hive::{Hive, exists, listed, output, sh, signal, spawn, spawn_until, wait_until};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "keepers_killed_at_any_moment_lose_nobody_and_double_nobody",
            keepers_killed_at_any_moment,
        ),
        trial(
            "a_keeper_that_stands_still_at_any_moment_loses_nothing",
            a_keeper_that_stands_still_at_any_moment,
        ),
        trial(
            "a_keeper_without_descriptors_refuses_and_ends_what_it_has",
            a_keeper_without_descriptors,
        ),
    ]
}

fn rounds() -> usize {
    std::env::var("TORTURE_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(5)
}

/// Numbers that are as good as drawn, and the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Does something to the keeper at moments that are drawn, until it is dropped.
struct Chance {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Chance {
    fn new(hive: &Hive, seed: u64, act: fn(u32, &mut Dice)) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let name = hive.keepers_name();
        let thread = std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let mut dice = Dice(seed | 1);
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_micros(dice.below(60_000)));
                    if let Some(keeper) = crate::hive::process_named(&name) {
                        act(keeper, &mut dice);
                    }
                }
            }
        });
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}

/// Whether it is asked again: nobody knows yet what came of it, or no keeper has lived for long enough to begin it.
/// One lives for long enough sooner or later.
fn is_asked_again(error: &Error, since: Instant) -> bool {
    let unknown = error.retry() == Retry::SameId || error.kind() == ErrorKind::EngineUnavailable;
    unknown && since.elapsed() < Duration::from_mins(2)
}

/// Spawns until it is known what came of it, as a manager does.
async fn spawn_surely(backend: &Arc<dyn AgentBackend>, id: &AgentId) {
    let (spec, options) = (sh("exec sleep 1000"), SpawnOptions::default());
    let since = Instant::now();
    loop {
        match backend.spawn(id, &spec, options.clone()).await {
            Ok(_) => return,
            Err(error) if is_asked_again(&error, since) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Asks until it is known what came of it; of an agent that is gone nothing more can come.
async fn surely(ask: impl AsyncFn() -> Result<(), Error>) {
    let since = Instant::now();
    loop {
        match ask().await {
            Ok(()) => return,
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) if is_asked_again(&error, since) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every living main process of the swarm, by the id that it carries; and how often that is carried.
fn carried(hive: &Hive) -> Vec<String> {
    let mut ids: Vec<_> = hive
        .living()
        .into_iter()
        .filter_map(|pid| {
            let environ = ProcWitness::environment(pid).ok()?;
            let line = environ
                .split(|&byte| byte == 0)
                .find_map(|line| line.strip_prefix(b"ALVEARY_AGENT_ID="))?;
            Some(String::from_utf8_lossy(line).into_owned())
        })
        .collect();
    ids.sort();
    ids
}

async fn keepers_killed_at_any_moment(hive: Hive) {
    let backend = hive.open().await;
    for round in 0..rounds() {
        let kill = |keeper, _: &mut Dice| signal(keeper, Signal::KILL);
        let chance = Chance::new(&hive, 0x9e37_79b9 + round as u64 * 7919, kill);
        let ids: Vec<_> = (0..20).map(|_| AgentId::random()).collect();
        join_all(ids.iter().map(|id| spawn_surely(&backend, id))).await;
        drop(chance);
        let wanted: BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
        let known: BTreeSet<_> = listed(&backend)
            .await
            .into_iter()
            .inspect(|agent| assert_eq!(agent.state, AgentState::Running, "{agent:?}"))
            .map(|agent| agent.id.to_string())
            .collect();
        assert_eq!(known, wanted, "in round {round}");
        assert_eq!(
            carried(&hive),
            wanted.into_iter().collect::<Vec<_>>(),
            "nobody is there twice, in round {round}"
        );
        // Half are stopped and all are removed while keepers go on dying.
        let chance = Chance::new(&hive, 0x517c_c1b7 + round as u64 * 104_729, kill);
        join_all(ids.iter().enumerate().map(|(number, id)| {
            let backend = &backend;
            async move {
                if number % 2 == 0 {
                    let stop = async || {
                        let stopped = backend.stop(id, StopOptions::by_force()).await;
                        stopped.map(drop)
                    };
                    surely(stop).await;
                }
                let options = RemoveOptions::default().with_force(true);
                surely(async || backend.remove(id, options.clone()).await).await;
            }
        }))
        .await;
        drop(chance);
        assert!(listed(&backend).await.is_empty(), "in round {round}");
        wait_until(|| hive.living().is_empty(), "all to be gone");
    }
}

async fn a_keeper_that_stands_still_at_any_moment(hive: Hive) {
    let backend = hive.open().await;
    let first = spawn_until(&backend, &sh("echo ready; exec sleep 1000"), "ready").await;
    let keeper = hive.keeper().expect("there is a keeper");
    let chance = Chance::new(&hive, 0x2545_f491, |keeper, dice| {
        signal(keeper, Signal::STOP);
        std::thread::sleep(Duration::from_micros(dice.below(80_000)));
        signal(keeper, Signal::CONT);
    });
    for round in 0..rounds() * 4 {
        let code = i32::try_from(round).expect("a small number");
        let agent = spawn(&backend, &sh(&format!("echo {round}; exit {code}"))).await;
        let log = backend
            .logs(&agent.id, LogOptions::default().with_follow(true))
            .await
            .expect("a log");
        let read = log.collect_bytes(alveary_core::LogStreamKind::Stdout).await;
        assert_eq!(
            String::from_utf8_lossy(&read.expect("it can be read")),
            format!("{round}\n")
        );
        let exit = backend.wait(&agent.id).await.expect("it ends");
        assert_eq!(exit.status, ExitStatus::Code(code));
        backend
            .remove(&agent.id, RemoveOptions::default())
            .await
            .expect("it goes");
    }
    drop(chance);
    assert_eq!(hive.keeper(), Some(keeper));
    assert_eq!(output(&backend, &first.id).await, "ready\n");
}

/// No more descriptors than it has, until this goes.
struct Full {
    keeper: Pid,
    before: Rlimit,
}

impl Full {
    fn new(keeper: u32) -> Self {
        let descriptors = std::fs::read_dir(format!("/proc/{keeper}/fd"))
            .expect("it lives")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok())
            .max()
            .expect("it has some");
        let keeper = Pid::from_raw(keeper.try_into().expect("a number")).expect("not zero");
        let limit = Rlimit {
            current: Some(descriptors + 1),
            maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
        };
        let before = prlimit(Some(keeper), Resource::Nofile, limit).expect("it can be limited");
        Self { keeper, before }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _gone = prlimit(Some(self.keeper), Resource::Nofile, self.before);
    }
}

async fn a_keeper_without_descriptors(hive: Hive) {
    for cgroups in [true, false] {
        let mut config_hive = Hive::new("no_descriptors");
        config_hive.configure(|config| config.cgroups = cgroups);
        let backend = config_hive.open().await;
        // It asks nobody to end, and leaves somebody behind.
        let script = "trap '' TERM; sleep 1000 & (setsid sleep 1000 & exit 0); echo ready; wait";
        let mut agents = Vec::new();
        for _ in 0..3 {
            agents.push(spawn_until(&backend, &sh(script), "ready").await);
        }
        let keeper = config_hive.keeper().expect("there is a keeper");
        let full = Full::new(keeper);
        // Gaps between its descriptors are taken first.
        let mut started = 0;
        let refused = loop {
            match backend
                .spawn(
                    &AgentId::random(),
                    &sh("exec sleep 1000"),
                    SpawnOptions::default(),
                )
                .await
            {
                Ok(_) => started += 1,
                Err(error) => break error,
            }
            assert!(started < 100, "it never runs out");
        };
        assert_eq!(refused.kind(), ErrorKind::OutOfResources, "{refused}");
        let exit = backend
            .stop(&agents[0].id, StopOptions::by_force())
            .await
            .expect("it can be stopped");
        assert!(!exit.is_success());
        let lives = |id: &AgentId| carried(&config_hive).contains(&id.to_string());
        assert!(!lives(&agents[0].id), "all of it is gone when that is told");
        assert!(lives(&agents[1].id));
        drop(full);
        for agent in listed(&backend).await {
            backend
                .remove(&agent.id, RemoveOptions::default().with_force(true))
                .await
                .expect("it goes");
        }
        assert_eq!(config_hive.living(), [0; 0]);
        assert!(exists(keeper), "it did not die of it");
    }
    drop(hive);
}
