//! One process brings the swarm up; when it is an agent's turn, another has done something else from its
//! beginning to its end.

use std::sync::Mutex;

use alveary::{
    Agent, Desired, DownOptions, ErrorKind, Fleet, ListOptions, RemoveOptions, StopOptions,
    SwarmManager, UpEvent, UpOptions, UpReport,
};

use crate::house::{House, names};

const TWO: &str = "[agents.a]\ncommand = [\"stay\"]\n[agents.b]\ncommand = [\"stay\"]\n";
const CHANGED: &str = "[agents.a]\ncommand = [\"stay\"]\nenv = { A = \"1\" }\n\
                       [agents.b]\ncommand = [\"stay\"]\nenv = { A = \"1\" }\n";

/// Brings the swarm up; when it is this agent's turn, `meanwhile` is done before anything else.
async fn up_and_meanwhile<F>(
    swarm: &SwarmManager,
    fleet: &Fleet,
    turn_of: &'static str,
    meanwhile: F,
) -> UpReport
where
    F: Future<Output = ()> + Send + 'static,
{
    let meanwhile = Mutex::new(Some(Box::pin(meanwhile)));
    let options = UpOptions::default().with_progress(move |event| {
        let UpEvent::Begun(step) = event else { return };
        if step.name != turn_of {
            return;
        }
        let meanwhile = meanwhile
            .lock()
            .expect("nobody panics")
            .take()
            .expect("it has one turn");
        let here = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| here.block_on(meanwhile));
    });
    swarm.up(fleet, options).await.expect("it is brought up")
}

async fn nobody_lives(swarm: &SwarmManager) {
    let there = swarm.backend().list(ListOptions::default()).await;
    let there = there.expect("memory answers");
    assert!(there.iter().all(|i| i.state.has_ended()), "{there:?}");
}

/// How the agents stand before they are brought up once more.
enum Before {
    Nothing,
    Running,
    Ended,
    Stopped,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_that_is_taken_down_before_an_agents_turn_has_nobody_started_in_it() {
    for before in [
        Before::Nothing,
        Before::Running,
        Before::Ended,
        Before::Stopped,
    ] {
        let house = House::new();
        let (here, there) = (house.shell().await, house.shell().await);
        if !matches!(before, Before::Nothing) {
            here.up(&house.fleet(TWO), UpOptions::default())
                .await
                .unwrap();
        }
        for agent in here.list().await.unwrap() {
            let (id, stop) = (agent.id(), StopOptions::default());
            match before {
                Before::Nothing | Before::Running => {}
                Before::Ended => drop(here.backend().stop(id, stop).await.unwrap()),
                Before::Stopped => drop(here.stop(id, stop).await.unwrap()),
            }
        }
        let down = async move {
            let report = there.down(DownOptions::default()).await.unwrap();
            assert!(report.is_complete(), "{report:?}");
        };
        let report = up_and_meanwhile(&here, &house.fleet(CHANGED), "b", down).await;
        let failed: Vec<_> = report.failures().map(|(step, _)| &step.name).collect();
        assert!(failed.contains(&&"b".to_owned()), "{report:?}");
        let there = here.backend().list(ListOptions::default()).await.unwrap();
        assert!(there.is_empty(), "{there:?}");
        let again = house.shell().await;
        assert!(again.list().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_that_is_stopped_before_an_agents_turn_stays_so() {
    for stopped_before in [false, true] {
        let house = House::new();
        let (here, there) = (house.shell().await, house.shell().await);
        let fleet = house.fleet(TWO);
        if stopped_before {
            here.up(&fleet, UpOptions::default()).await.unwrap();
            here.stop_all(StopOptions::default()).await.unwrap();
        }
        let stop = async move {
            there.stop_all(StopOptions::default()).await.unwrap();
        };
        let report = up_and_meanwhile(&here, &fleet, "b", stop).await;
        let failed: Vec<_> = report
            .failures()
            .map(|(step, error)| (step.name.as_str(), error.kind()))
            .collect();
        assert_eq!(failed.last(), Some(&("b", ErrorKind::Conflict)));
        nobody_lives(&here).await;
        let agents = here.list().await.unwrap();
        let stopped = |agent: &Agent| agent.desired == Some(Desired::Stopped);
        assert!(agents.iter().all(stopped), "{agents:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_removed_before_its_turn_stays_so() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let fleet = house.fleet(TWO);
    here.up(&fleet, UpOptions::default()).await.unwrap();
    here.stop_all(StopOptions::default()).await.unwrap();
    let remove = async move {
        let b = there.find("b").await.unwrap().unwrap();
        there
            .remove(b.id(), RemoveOptions::default())
            .await
            .unwrap();
    };
    let report = up_and_meanwhile(&here, &fleet, "b", remove).await;
    assert_eq!(report.failures().count(), 1, "{report:?}");
    assert_eq!(names(&here.list().await.unwrap()), ["a"]);
}
