//! A swarm with a state folder: several processes, one restarter, nothing forgotten.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alveary::{
    Agent, AgentBackend, AgentId, AgentSpec, AgentState, Desired, DownOptions, ErrorKind,
    RemoveOptions, Restart, StopOptions, Supervision, SwarmManager, SwarmName, recorded_swarm,
};

use crate::house::{House, SOMEBODY, is_running, names, stay, until};

fn always() -> Restart {
    Restart::always()
        .at_most(1000, Duration::from_secs(1))
        .delay(Duration::from_millis(20), Duration::from_millis(20))
}

#[tokio::test]
async fn what_one_process_records_another_finds_with_what_is_wanted_of_it() {
    let house = House::new();
    let first = house.shell().await;
    let echo = first.spawn(stay("echo")).await.unwrap();
    let second = house.shell().await;
    let found = second.get(&echo.id).await.unwrap();
    assert_eq!(found.desired, Some(Desired::Running));

    second.stop(&echo.id, StopOptions::default()).await.unwrap();
    let seen = first.get(&echo.id).await.unwrap();
    assert_eq!(seen.desired, Some(Desired::Stopped));
    assert_eq!(
        first.spawn(stay("echo")).await.unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );

    let again = first
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    assert_ne!(again.incarnation, echo.incarnation);
    first.kill(&echo.id).await.unwrap();
    second
        .remove(&echo.id, RemoveOptions::default())
        .await
        .unwrap();
    until(&first, "it is gone", <[_]>::is_empty).await;
}

#[tokio::test]
async fn who_waits_for_one_that_another_process_removes_hears_of_it_soon() {
    let house = House::new();
    let (first, second) = (house.shell().await, house.shell().await);
    let echo = first.spawn(stay("echo")).await.unwrap();
    // The engine is rid of it before the other process has forgotten it.
    let engine = house.behind_the_managers().await;
    let stopped = engine.stop(&echo.id, StopOptions::default()).await;
    stopped.unwrap();
    engine
        .remove(&echo.id, RemoveOptions::default())
        .await
        .unwrap();
    until(&first, "the engine knows it no more", |agents| {
        agents
            .iter()
            .all(|agent| *agent.state() == AgentState::Pending)
    })
    .await;
    let forgetting = second.remove(&echo.id, RemoveOptions::default());
    let soon = Duration::from_secs(10);
    let waiting = tokio::time::timeout(soon, first.wait(&echo.id));
    let (heard, forgotten) = tokio::join!(waiting, forgetting);
    forgotten.unwrap();
    let heard = heard.expect("it hears of it before the next list");
    assert_eq!(heard.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_state_is_for_its_owner_alone() {
    let house = House::new();
    let swarm = house.shell().await;
    swarm.spawn(stay("echo")).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&house.state()), 0o700);
    for entry in fs::read_dir(house.state()).unwrap() {
        let path = entry.unwrap().path();
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), wanted, "{}", path.display());
    }
}

#[tokio::test]
async fn secrets_of_a_start_that_never_was_are_gone_with_the_swarm() {
    let house = House::new();
    let opened = house.try_open(house.fleet(SOMEBODY), false).await.unwrap();
    opened.swarm.spawn(stay("echo")).await.unwrap();
    let secrets = house.path().join("secrets");
    let of_the_swarm = secrets.join(opened.record.uid.to_string());
    // As a manager leaves it that is killed between a start's secrets and the start.
    let start = of_the_swarm.join(AgentId::random().as_str());
    fs::create_dir(&start).unwrap();
    fs::write(start.join("KEY"), "hunter2").unwrap();
    opened.swarm.down(DownOptions::default()).await.unwrap();
    assert_eq!(fs::read_dir(&secrets).unwrap().count(), 0);
}

#[tokio::test]
async fn a_secret_that_a_program_gave_is_in_no_file() {
    let house = House::new();
    let swarm = house.shell().await;
    let spec = stay("echo").secret("KEY", alveary::Secret::new("hunter2"));
    let echo = swarm.spawn(spec).await.unwrap();
    let journal = fs::read_to_string(house.state().join("members.jsonl")).unwrap();
    assert!(journal.contains("KEY") && !journal.contains("hunter2"));
    // The program that gave it can start the agent again, and no other can.
    swarm
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap();
    let other = house.shell().await;
    let error = other
        .restart(&echo.id, StopOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn a_swarm_that_never_was_is_not_made_by_asking_for_it() {
    let house = House::new();
    let name = SwarmName::new("demo").unwrap();
    assert!(recorded_swarm(&name, Some(house.path())).unwrap().is_none());
    house.shell().await;
    let record = recorded_swarm(&name, Some(house.path())).unwrap().unwrap();
    assert_eq!(record.backend.as_deref(), Some("memory"));
}

#[tokio::test]
async fn another_files_swarm_of_the_same_name_is_refused_until_it_is_down() {
    let house = House::new();
    let agents = "[agents.echo]\ncommand = [\"stay\"]\n";
    let here = house.try_open(house.fleet(agents), false).await.unwrap();
    here.swarm.spawn(stay("echo")).await.unwrap();
    let elsewhere = || house.fleet_in("other/alveary.toml", agents);
    let error = house.try_open(elsewhere(), false).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("alveary.toml"), "{error}");

    here.swarm.down(DownOptions::default()).await.unwrap();
    house.try_open(elsewhere(), false).await.unwrap();
}

#[tokio::test]
async fn a_restarter_restarts_what_another_process_started_and_obeys_its_stop() {
    let house = House::new();
    let supervisor = house.supervisor().await;
    supervisor.wait_supervising().await;
    let shell = house.shell().await;
    let spec = AgentSpec::new("echo", ["exit-after", "5", "1"]).restart(always());
    let echo = shell.spawn(spec).await.unwrap();
    until(&shell, "it was restarted", |agents| {
        agents[0].info.incarnation != echo.incarnation
    })
    .await;
    for _ in 0..25 {
        shell.stop(&echo.id, StopOptions::default()).await.unwrap();
        let stopped = shell.get(&echo.id).await.unwrap();
        // Long enough for a restart that had been decided on to be made.
        until(&supervisor, "the restarter knows", |agents| {
            agents.iter().all(Agent::is_settled)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let later = shell.backend().inspect(&echo.id).await.unwrap();
        assert_eq!(later.incarnation, stopped.info.incarnation);
        assert!(later.state.has_ended());
        shell.start(&echo.id).await.unwrap();
        until(&shell, "it was restarted", |agents| agents[0].restarts > 0).await;
    }
    shell.kill(&echo.id).await.unwrap();
}

#[tokio::test]
async fn one_process_restarts_and_the_next_takes_over_with_the_count() {
    let house = House::new();
    let first = house.supervisor().await;
    first.wait_supervising().await;
    assert_eq!(first.supervision().unwrap(), Supervision::Us);
    let policy = Restart::always()
        .at_most(2, Duration::from_hours(1))
        .delay(Duration::from_millis(10), Duration::from_millis(10));
    let bad = AgentSpec::new("bad", ["exit-after", "200", "1"]).restart(policy);
    let bad = first.spawn(bad).await.unwrap();

    let second = house.supervisor().await;
    second.list().await.unwrap();
    match second.supervision().unwrap() {
        Supervision::Other(holder) => assert_eq!(holder.pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    until(&first, "it was restarted once", |agents| {
        agents[0].restarts == 1
    })
    .await;
    drop(first);
    second.wait_supervising().await;
    until(&second, "its restarts are used up", |agents| {
        matches!(agents[0].state(), AgentState::Failed { .. })
    })
    .await;
    assert_eq!(second.get(&bad.id).await.unwrap().restarts, 2);
    // Also in the eyes of one that neither saw nor did it.
    let shell = house.shell().await;
    let seen = shell.get(&bad.id).await.unwrap();
    assert!(matches!(seen.state(), AgentState::Failed { .. }));
    assert!(seen.is_settled());
}

#[tokio::test]
async fn a_restarter_that_is_killed_is_followed_within_a_second() {
    let mut took = Vec::new();
    // A busy machine may hold one of them up.
    for _ in 0..5 {
        let round = after_a_killed_restarter().await;
        if round < Duration::from_secs(1) {
            return;
        }
        took.push(round);
    }
    panic!("{took:?}");
}

/// Kills a restarter in another process, and gives how long the next took to follow.
#[expect(
    clippy::unwrap_used,
    reason = "this is a test's, though not inside a `#[test]`"
)]
async fn after_a_killed_restarter() -> Duration {
    let house = House::new();
    drop(house.shell().await);
    // Another process, which holds the lease and knows nothing of us.
    let mut holder = Command::new("flock")
        .args(["--no-fork", "--exclusive"])
        .arg(house.state().join("lease"))
        .args(["sleep", "1000"])
        .stdout(Stdio::null())
        .spawn()
        .expect("`flock` of util-linux is there");
    let shell = house.shell().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while shell.supervision().unwrap() == Supervision::Nobody {
        assert!(
            Instant::now() < deadline,
            "the other process never took the lease"
        );
        tokio::task::yield_now().await;
    }
    let next = house.supervisor().await;
    let policy = Restart::always().delay(Duration::from_millis(1), Duration::from_millis(1));
    let echo = AgentSpec::new("echo", ["exit", "1"]).restart(policy);
    let echo = next.spawn(echo).await.unwrap();
    assert!(!matches!(next.supervision().unwrap(), Supervision::Us));
    assert_eq!(next.get(&echo.id).await.unwrap().restarts, 0);

    // By its number, so that it is KILL that ends it.
    let killed = Instant::now();
    holder.kill().unwrap();
    next.wait_supervising().await;
    let took = killed.elapsed();
    holder.wait().unwrap();
    // What ended while nobody led is seen to.
    until(&next, "it was restarted", |agents| agents[0].restarts > 0).await;
    took
}

#[tokio::test]
async fn a_damaged_line_loses_its_own_agent_alone_and_is_kept() {
    let house = House::new();
    let swarm = house.shell().await;
    let spared = swarm.spawn(stay("spared")).await.unwrap();
    let lost = swarm.spawn(stay("lost")).await.unwrap();
    drop(swarm);
    let path = house.state().join("members.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let damaged = text.replace(&format!("\"id\":\"{}\"", lost.id), "\"id\":");
    assert_ne!(text, damaged);
    fs::write(&path, format!("{damaged}[{{\"put\":")).unwrap();

    let swarm = house.shell().await;
    let agents = swarm.list().await.unwrap();
    // The engine knows both; that nobody recorded one of them is seen.
    assert_eq!(names(&agents), ["lost", "spared"]);
    assert_eq!(swarm.get(&lost.id).await.unwrap().desired, None);
    assert_eq!(
        swarm.get(&spared.id).await.unwrap().desired,
        Some(Desired::Running)
    );
    swarm.spawn(stay("new")).await.unwrap();
    assert!(house.state().join("members.jsonl.corrupt").exists());
    let clean = house.shell().await;
    assert_eq!(clean.list().await.unwrap().len(), 3);
}

#[tokio::test]
async fn down_leaves_nothing_and_ends_the_restarter_in_another_process() {
    let house = House::new();
    let supervisor = house.supervisor().await;
    supervisor.wait_supervising().await;
    let agents: Vec<_> = (0..20)
        .map(|n| stay(&format!("a-{n}")).restart(always()))
        .collect();
    assert!(
        supervisor
            .spawn_many(agents)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let until_down = tokio::spawn(async move { supervisor.until_down().await });

    let shell = house.shell().await;
    let report = shell.down(DownOptions::default()).await.unwrap();
    assert!(report.is_complete());
    assert_eq!(report.stopped.len(), 20);
    assert_eq!(report.removed, 20);
    until_down.await.unwrap().unwrap();
    assert!(shell.list().await.unwrap().is_empty());
    assert!(!house.state().join("members.jsonl").exists());

    // The swarm may live again, as the same one.
    let uid = |house: &House| {
        let name = SwarmName::new("demo").unwrap();
        recorded_swarm(&name, Some(house.path()))
            .unwrap()
            .unwrap()
            .uid
    };
    let before = uid(&house);
    let echo = house.shell().await.spawn(stay("echo")).await.unwrap();
    assert_eq!(uid(&house), before);
    assert!(is_running(&shell, &echo.id) || shell.get(&echo.id).await.is_ok());
}

#[tokio::test]
async fn a_lost_record_is_written_anew_and_nobody_is_forgotten() {
    let house = House::new();
    let swarm = house.shell().await;
    let specs = (0..50).map(|n| stay(&format!("a-{n}")));
    let started = swarm.spawn_many(specs).await;
    let one = started.into_iter().next().unwrap().unwrap();
    let path = house.state().join("members.jsonl");
    let mut largest = 0;
    let mut shrank = false;
    // Every restart adds a line, until it pays to leave out those that have been overtaken.
    for _ in 0..4000 {
        swarm
            .restart(&one.id, StopOptions::default())
            .await
            .unwrap();
        let size = fs::metadata(&path).unwrap().len();
        shrank |= size < largest;
        largest = largest.max(size);
        if shrank {
            break;
        }
    }
    assert!(shrank, "it grew to {largest} bytes");
    let other = house.shell().await;
    assert_eq!(other.list().await.unwrap().len(), 50);
    assert!(
        other
            .list()
            .await
            .unwrap()
            .iter()
            .all(|a| a.desired.is_some())
    );
}

/// More agents than there are gates, each longer in ending than a gate is waited for.
#[tokio::test(start_paused = true)]
async fn agents_that_take_long_to_end_do_not_hinder_each_others_restart() {
    let house = House::new();
    let swarm = house.shell().await;
    let specs = (0..80)
        .map(|n| AgentSpec::new(format!("a-{n}"), ["stubborn"]).grace(Duration::from_secs(15)));
    let started = swarm.spawn_many(specs).await;
    let ids: Vec<_> = started.into_iter().map(|info| info.unwrap().id).collect();
    let restarts = ids
        .iter()
        .map(|id| swarm.restart(id, StopOptions::default()));
    for restarted in futures_util::future::join_all(restarts).await {
        restarted.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_given_up_has_failed_also_while_that_cannot_be_recorded() {
    let house = House::new();
    let swarm = house.supervisor().await;
    swarm.wait_supervising().await;
    let once = Restart::always().at_most(0, Duration::from_mins(1));
    let bad = AgentSpec::new("bad", ["exit-after", "1000", "7"]).restart(once);
    swarm.spawn(bad).await.unwrap();
    let failed = |agents: &[Agent]| matches!(agents[0].state(), AgentState::Failed { .. });
    // As a stopped process does that was about to write.
    let lock = fs::File::open(house.state().join("state.lock")).unwrap();
    lock.lock().unwrap();
    until(&swarm, "it has failed", failed).await;
    assert!(swarm.list().await.unwrap()[0].is_settled());
    tokio::time::sleep(Duration::from_mins(1)).await;
    lock.unlock().unwrap();
    let other = house.shell().await;
    until(&swarm, "it is recorded", |_| {
        let journal = fs::read_to_string(house.state().join("members.jsonl")).unwrap();
        journal.contains("gave-up")
    })
    .await;
    until(&other, "the others know", failed).await;
}

#[tokio::test(start_paused = true)]
async fn down_forgets_nobody_who_was_started_while_it_took_its_time() {
    let house = House::new();
    let (here, there) = (house.shell().await, house.shell().await);
    let old = AgentSpec::new("old", ["stubborn"]).grace(Duration::from_secs(5));
    here.spawn(old).await.unwrap();
    let (down, ()) = tokio::join!(here.down(DownOptions::default()), async {
        until(&there, "it is being stopped", |agents| {
            *agents[0].state() == AgentState::Stopping
        })
        .await;
        // The engine does not have it any more when `down` looks: only the record tells of it.
        let late = there.spawn(stay("late")).await.unwrap();
        there
            .backend()
            .remove(&late.id, RemoveOptions::default().with_force(true))
            .await
            .unwrap();
    });
    assert_eq!(down.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(names(&there.list().await.unwrap()).contains(&"late".to_owned()));
}

#[tokio::test]
async fn what_a_user_starts_again_is_no_restart_that_counts_whoever_starts_it() {
    let house = House::new();
    let shell = house.shell().await;
    let echo = shell.spawn(stay("echo").restart(always())).await.unwrap();
    shell.stop(&echo.id, StopOptions::default()).await.unwrap();
    // It is recorded that it is to run, and by which start.
    let other = house.shell_that_starts_nobody().await;
    let failed = other.restart(&echo.id, StopOptions::default()).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::EngineUnavailable);
    let restarter = house.supervisor().await;
    until(&restarter, "it runs", |agents| {
        *agents[0].state() == AgentState::Running
    })
    .await;
    assert_eq!(restarter.get(&echo.id).await.unwrap().restarts, 0);
}

#[tokio::test]
async fn who_knows_nothing_of_what_another_host_has_restarted_goes_on_from_it() {
    let house = House::new();
    let here = house.supervisor().await;
    let echo = here.spawn(stay("echo").restart(always())).await.unwrap();
    let elsewhere = house.copied();
    let engine = house.behind_the_managers().await;
    let kill = async |swarm: &SwarmManager| {
        let before = swarm.get(&echo.id).await.unwrap().info.incarnation;
        engine.stop(&echo.id, StopOptions::default()).await.unwrap();
        until(swarm, "it runs again", |agents| {
            *agents[0].state() == AgentState::Running && agents[0].info.incarnation != before
        })
        .await;
        swarm.get(&echo.id).await.unwrap().info.incarnation
    };
    let second = kill(&here).await;
    drop(here);
    let there = elsewhere.supervisor().await;
    let third = kill(&there).await;
    assert!(third != echo.incarnation && third != second);
    assert_eq!(there.get(&echo.id).await.unwrap().restarts, 1);
}
