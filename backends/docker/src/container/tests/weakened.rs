//! Engines that make less of a spec than it says.

use super::*;

const NO_PIDS: &str = "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.";
const NO_MEMORY: &str = "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.";

#[tokio::test(start_paused = true)]
async fn a_limit_that_the_engine_throws_away_is_refused_and_nothing_is_left() {
    let (engine, containers) = swarm();
    *engine.0.fetched.lock().unwrap() = true;
    engine.0.remarks.lock().unwrap().push(NO_MEMORY.to_owned());
    let mut bounded = spec();
    bounded.limits.memory = Some(alveary_core::ByteSize(64 << 20));
    let id = AgentId::random();
    let spawned = containers
        .spawn(&id, &bounded, SpawnOptions::default())
        .await;
    let error = spawned.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(error.engine_words(), Some(NO_MEMORY));
    assert!(engine.0.containers.lock().unwrap().is_empty());

    // Who did not ask for it loses nothing.
    let spawned = containers
        .spawn(&id, &spec(), SpawnOptions::default())
        .await;
    assert_eq!(spawned.unwrap().state, AgentState::Running);
}

/// The engine says so once; whoever asks anew has to see it by the container.
#[tokio::test(start_paused = true)]
async fn one_that_lacks_a_limit_is_started_by_no_later_call_either() {
    let mut of_memory = spec();
    of_memory.limits.memory = Some(alveary_core::ByteSize(64 << 20));
    let mut of_processes = spec();
    of_processes.limits.nproc = Some(20);
    for (bounded, remark) in [(of_memory, NO_MEMORY), (of_processes, NO_PIDS)] {
        let (engine, containers) = swarm();
        *engine.0.fetched.lock().unwrap() = true;
        engine.0.remarks.lock().unwrap().push(remark.to_owned());
        engine.0.being_removed.store(1000, Ordering::SeqCst);
        let (id, options) = (AgentId::random(), SpawnOptions::default());
        for _ in 0..2 {
            let spawned = containers.spawn(&id, &bounded, options.clone()).await;
            let error = spawned.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            let left = engine.0.containers.lock().unwrap()[0].phase;
            assert_eq!(left, Phase::Created);
        }
        engine.0.being_removed.store(0, Ordering::SeqCst);
        let spawned = containers.spawn(&id, &bounded, options).await;
        assert_eq!(spawned.unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(engine.0.containers.lock().unwrap().is_empty());
    }
}
