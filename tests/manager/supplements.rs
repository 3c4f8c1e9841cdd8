//! What agents are given at each start besides their specs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alveary::{
    AgentContext, AgentSpec, Error, ErrorKind, ManagerOptions, MemoryBackend, MemoryEngine,
    OpenOptions, Operation, Registry, Restart, Result, Secret, Start, Supplement, Supplements,
    SwarmManager, SwarmUid, UpAction, UpOptions,
};

use crate::house::{House, InMemory, names, programs, until};

/// Another address at each start, and a secret of the agent's own.
#[derive(Debug, Clone, Default)]
struct Addresses(Arc<AtomicUsize>);

impl Supplements for Addresses {
    fn supplement(&self, start: &Start<'_>) -> Result<Supplement> {
        assert!(!start.in_container);
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Supplement::default()
            .env("COORDINATOR_URL", format!("http://127.0.0.1:{nth}"))
            .secret(
                "COORDINATOR_TOKEN",
                Secret::new(format!("of {}", start.spec.name)),
            ))
    }
}

#[derive(Debug)]
struct Refuses;

impl Supplements for Refuses {
    fn supplement(&self, _: &Start<'_>) -> Result<Supplement> {
        Err(Error::new(
            ErrorKind::Unsupported,
            Operation::Spawn,
            "nothing is known of it",
        ))
    }
}

/// What each start was given, in their order.
type Given = Arc<Mutex<Vec<String>>>;

fn swarm(supplements: impl Supplements) -> (SwarmManager<MemoryBackend>, Given) {
    let given = Given::default();
    let told = Arc::clone(&given);
    let engine = programs(MemoryEngine::new()).with_program("tell", move |agent: AgentContext| {
        let mut told = told.lock().expect("no start panics");
        told.push(format!(
            "{} {}",
            agent.var("COORDINATOR_URL").unwrap_or("nowhere"),
            agent
                .secret("COORDINATOR_TOKEN")
                .map_or("nothing", Secret::expose),
        ));
        async { 1 }
    });
    let backend = MemoryBackend::on(&engine, SwarmUid::random());
    let options = ManagerOptions::default().with_supplements(supplements);
    let swarm = SwarmManager::with_options(Arc::new(backend), options);
    (swarm, given)
}

#[tokio::test(start_paused = true)]
async fn every_start_is_given_what_holds_then_and_is_of_the_same_agent() {
    let (swarm, given) = swarm(Addresses::default());
    let spec = AgentSpec::new("echo", ["tell"])
        .restart(Restart::on_failure().at_most(2, Duration::from_mins(10)));
    let echo = swarm.spawn(spec.clone()).await.unwrap();
    assert_eq!(echo.spec_hash, spec.hash());
    until(&swarm, "its restarts are used up", |agents| {
        agents[0].is_settled()
    })
    .await;
    assert_eq!(
        *given.lock().unwrap(),
        [0, 1, 2].map(|nth| format!("http://127.0.0.1:{nth} of echo"))
    );
    let agent = swarm.get(&echo.id).await.unwrap();
    assert_eq!(agent.info.spec_hash, spec.hash());
}

#[tokio::test]
async fn what_a_spec_says_itself_is_not_overridden() {
    let (swarm, given) = swarm(Addresses::default());
    let spec = AgentSpec::new("echo", ["tell"]).env("COORDINATOR_URL", "http://elsewhere");
    let echo = swarm.spawn(spec).await.unwrap();
    swarm.wait(&echo.id).await.unwrap();
    assert_eq!(*given.lock().unwrap(), ["http://elsewhere of echo"]);
}

#[tokio::test]
async fn a_start_for_which_nothing_can_be_said_fails_and_leaves_nothing() {
    let (swarm, given) = swarm(Refuses);
    let spec = AgentSpec::new("echo", ["tell"]);
    let error = swarm.spawn(spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.agent().is_some(), "{error}");
    assert!(names(&swarm.list().await.unwrap()).is_empty());
    assert!(given.lock().unwrap().is_empty());
}

#[tokio::test]
async fn another_address_makes_no_other_agent_and_none_of_it_is_recorded() {
    let house = House::new();
    let addresses = Addresses::default();
    let fleet = house.fleet("[agents.echo]\ncommand = [\"stay\"]\n");
    for action in ["create", "keep"] {
        let opened = OpenOptions::new()
            .registry(Registry::new().with::<InMemory>())
            .secrets_root(house.path().join("secrets"))
            .manager(ManagerOptions::default().with_supplements(addresses.clone()))
            .open_fleet(fleet.clone())
            .await
            .unwrap();
        let report = opened.swarm.up(&fleet, UpOptions::default()).await.unwrap();
        let is = match report.outcomes[0].step.action {
            UpAction::Create => "create",
            UpAction::Keep => "keep",
            _ => "else",
        };
        assert_eq!(is, action);
    }
    let recorded = std::fs::read_to_string(house.state().join("members.jsonl")).unwrap();
    assert!(recorded.contains("stay") && !recorded.contains("COORDINATOR"));
}
